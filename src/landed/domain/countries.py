"""Countries: which one a number, a mobile country code or a two-letter code means.

Codes are ISO 3166-1 alpha-2, and three that others agree on though ISO only reserves them: XK (Kosovo),
AC (Ascension Island) and TA (Tristan da Cunha).
"""

from typing import Final

#: Code, own calling code (ITU-T E.164; `-`: none, or a part of another's, see SHARED), name: mobile country codes
#: (ITU-T E.212). Names are the short ones people use. Where a code serves several places it stands with the largest:
#: +1 and 310 with the United States, 234 with the United Kingdom, 340 with Guadeloupe, 362 with Curaçao, 425 with
#: Israel, 647 with Réunion.
COUNTRIES: Final = """
AC +247 Ascension Island
AD +376 Andorra: 213
AE +971 United Arab Emirates: 424 430 431
AF +93  Afghanistan: 412
AG -    Antigua and Barbuda: 344
AI -    Anguilla: 365
AL +355 Albania: 276
AM +374 Armenia: 283
AO +244 Angola: 631
AQ -    Antarctica
AR +54  Argentina: 722
AS -    American Samoa: 544
AT +43  Austria: 232
AU +61  Australia: 505
AW +297 Aruba: 363
AX -    Åland Islands
AZ +994 Azerbaijan: 400
BA +387 Bosnia and Herzegovina: 218
BB -    Barbados: 342
BD +880 Bangladesh: 470
BE +32  Belgium: 206
BF +226 Burkina Faso: 613
BG +359 Bulgaria: 284
BH +973 Bahrain: 426
BI +257 Burundi: 642
BJ +229 Benin: 616
BL -    Saint Barthélemy
BM -    Bermuda: 350
BN +673 Brunei: 528
BO +591 Bolivia: 736
BQ -    Caribbean Netherlands
BR +55  Brazil: 724
BS -    Bahamas: 364
BT +975 Bhutan: 402
BV -    Bouvet Island
BW +267 Botswana: 652
BY +375 Belarus: 257
BZ +501 Belize: 702
CA -    Canada: 302
CC -    Cocos Islands
CD +243 DR Congo: 630
CF +236 Central African Republic: 623
CG +242 Republic of the Congo: 629
CH +41  Switzerland: 228
CI +225 Côte d'Ivoire: 612
CK +682 Cook Islands: 548
CL +56  Chile: 730
CM +237 Cameroon: 624
CN +86  China: 460 461
CO +57  Colombia: 732
CR +506 Costa Rica: 712
CU +53  Cuba: 368
CV +238 Cabo Verde: 625
CW +599 Curaçao: 362
CX -    Christmas Island
CY +357 Cyprus: 280
CZ +420 Czechia: 230
DE +49  Germany: 262
DJ +253 Djibouti: 638
DK +45  Denmark: 238
DM -    Dominica: 366
DO -    Dominican Republic: 370
DZ +213 Algeria: 603
EC +593 Ecuador: 740
EE +372 Estonia: 248
EG +20  Egypt: 602
EH -    Western Sahara
ER +291 Eritrea: 657
ES +34  Spain: 214
ET +251 Ethiopia: 636
FI +358 Finland: 244
FJ +679 Fiji: 542
FK +500 Falkland Islands: 750
FM +691 Micronesia: 550
FO +298 Faroe Islands: 288
FR +33  France: 208
GA +241 Gabon: 628
GB +44  United Kingdom: 234 235
GD -    Grenada: 352
GE +995 Georgia: 282
GF +594 French Guiana: 742
GG -    Guernsey
GH +233 Ghana: 620
GI +350 Gibraltar: 266
GL +299 Greenland: 290
GM +220 Gambia: 607
GN +224 Guinea: 611
GP +590 Guadeloupe: 340
GQ +240 Equatorial Guinea: 627
GR +30  Greece: 202
GS -    South Georgia and South Sandwich Islands
GT +502 Guatemala: 704
GU -    Guam: 535
GW +245 Guinea-Bissau: 632
GY +592 Guyana: 738
HK +852 Hong Kong: 454
HM -    Heard and McDonald Islands
HN +504 Honduras: 708
HR +385 Croatia: 219
HT +509 Haiti: 372
HU +36  Hungary: 216
ID +62  Indonesia: 510
IE +353 Ireland: 272
IL +972 Israel: 425
IM -    Isle of Man
IN +91  India: 404 405 406
IO +246 British Indian Ocean Territory
IQ +964 Iraq: 418
IR +98  Iran: 432
IS +354 Iceland: 274
IT +39  Italy: 222
JE -    Jersey
JM -    Jamaica: 338
JO +962 Jordan: 416
JP +81  Japan: 440 441
KE +254 Kenya: 639
KG +996 Kyrgyzstan: 437
KH +855 Cambodia: 456
KI +686 Kiribati: 545
KM +269 Comoros: 654
KN -    Saint Kitts and Nevis: 356
KP +850 North Korea: 467
KR +82  South Korea: 450
KW +965 Kuwait: 419
KY -    Cayman Islands: 346
KZ -    Kazakhstan: 401
LA +856 Laos: 457
LB +961 Lebanon: 415
LC -    Saint Lucia: 358
LI +423 Liechtenstein: 295
LK +94  Sri Lanka: 413
LR +231 Liberia: 618
LS +266 Lesotho: 651
LT +370 Lithuania: 246
LU +352 Luxembourg: 270
LV +371 Latvia: 247
LY +218 Libya: 606
MA +212 Morocco: 604
MC +377 Monaco: 212
MD +373 Moldova: 259
ME +382 Montenegro: 297
MF -    Saint Martin
MG +261 Madagascar: 646
MH +692 Marshall Islands: 551
MK +389 North Macedonia: 294
ML +223 Mali: 610
MM +95  Myanmar: 414
MN +976 Mongolia: 428
MO +853 Macao: 455
MP -    Northern Mariana Islands: 534
MQ +596 Martinique
MR +222 Mauritania: 609
MS -    Montserrat: 354
MT +356 Malta: 278
MU +230 Mauritius: 617
MV +960 Maldives: 472
MW +265 Malawi: 650
MX +52  Mexico: 334
MY +60  Malaysia: 502
MZ +258 Mozambique: 643
NA +264 Namibia: 649
NC +687 New Caledonia: 546
NE +227 Niger: 614
NF +672 Norfolk Island
NG +234 Nigeria: 621
NI +505 Nicaragua: 710
NL +31  Netherlands: 204
NO +47  Norway: 242
NP +977 Nepal: 429
NR +674 Nauru: 536
NU +683 Niue: 555
NZ +64  New Zealand: 530
OM +968 Oman: 422
PA +507 Panama: 714
PE +51  Peru: 716
PF +689 French Polynesia: 547
PG +675 Papua New Guinea: 537
PH +63  Philippines: 515
PK +92  Pakistan: 410
PL +48  Poland: 260
PM +508 Saint Pierre and Miquelon: 308
PN -    Pitcairn Islands
PR -    Puerto Rico: 330
PS +970 Palestine
PT +351 Portugal: 268
PW +680 Palau: 552
PY +595 Paraguay: 744
QA +974 Qatar: 427
RE +262 Réunion: 647
RO +40  Romania: 226
RS +381 Serbia: 220
RU +7   Russia: 250
RW +250 Rwanda: 635
SA +966 Saudi Arabia: 420
SB +677 Solomon Islands: 540
SC +248 Seychelles: 633
SD +249 Sudan: 634
SE +46  Sweden: 240
SG +65  Singapore: 525
SH +290 Saint Helena: 658
SI +386 Slovenia: 293
SJ -    Svalbard and Jan Mayen
SK +421 Slovakia: 231
SL +232 Sierra Leone: 619
SM +378 San Marino: 292
SN +221 Senegal: 608
SO +252 Somalia: 637
SR +597 Suriname: 746
SS +211 South Sudan: 659
ST +239 Sao Tome and Principe: 626
SV +503 El Salvador: 706
SX -    Sint Maarten
SY +963 Syria: 417
SZ +268 Eswatini: 653
TA -    Tristan da Cunha
TC -    Turks and Caicos Islands: 376
TD +235 Chad: 622
TF -    French Southern Territories
TG +228 Togo: 615
TH +66  Thailand: 520
TJ +992 Tajikistan: 436
TK +690 Tokelau: 554
TL +670 Timor-Leste: 514
TM +993 Turkmenistan: 438
TN +216 Tunisia: 605
TO +676 Tonga: 539
TR +90  Türkiye: 286
TT -    Trinidad and Tobago: 374
TV +688 Tuvalu: 553
TW +886 Taiwan: 466
TZ +255 Tanzania: 640
UA +380 Ukraine: 255
UG +256 Uganda: 641
UM -    U.S. Outlying Islands
US +1   United States: 310 311 312 313 314 315 316
UY +598 Uruguay: 748
UZ +998 Uzbekistan: 434
VA -    Vatican City: 225
VC -    Saint Vincent and the Grenadines: 360
VE +58  Venezuela: 734
VG -    British Virgin Islands: 348
VI -    U.S. Virgin Islands: 332
VN +84  Vietnam: 452
VU +678 Vanuatu: 541
WF +681 Wallis and Futuna: 543
WS +685 Samoa: 549
XK +383 Kosovo: 221
YE +967 Yemen: 421
YT -    Mayotte
ZA +27  South Africa: 655
ZM +260 Zambia: 645
ZW +263 Zimbabwe: 648
"""

#: Those who share a calling code with a larger country: the code, then the leading digits that are theirs.
#: Numbers that fit nobody here belong to the country that has the code in COUNTRIES: so +1 800 counts as US, and
#: a +44 76 pager as GB. Not decidable by digits: BL and MF within +590 (GP), most of CX and CC
#: within +61 (AU), mobiles of AX (FI), EH (MA), SJ (NO) and VA (IT).
SHARED: Final = {
    # North American numbering plan. Canada includes the non-geographic 600 series.
    "CA": "1 204 226 236 249 250 257 263 273 289 306 343 354 365 367 368 382 403 416 418 428 431 437 438 450 468 474"
    " 506 514 519 548 579 581 584 587 600 604 613 622 633 639 644 647 655 672 677 683 688 705 709 742 753 778 780 782"
    " 807 819 825 867 873 879 902 905 942",
    "AG": "1 268",
    "AI": "1 264",
    "AS": "1 684",
    "BB": "1 246",
    "BM": "1 441",
    "BS": "1 242",
    "DM": "1 767",
    "DO": "1 809 829 849",
    "GD": "1 473",
    "GU": "1 671",
    "JM": "1 658 876",
    "KN": "1 869",
    "KY": "1 345",
    "LC": "1 758",
    "MP": "1 670",
    "MS": "1 664",
    "PR": "1 787 939",
    "SX": "1 721",
    "TC": "1 649",
    "TT": "1 868",
    "VC": "1 784",
    "VG": "1 284",
    "VI": "1 340",
    # Elsewhere
    "KZ": "7 6 7",
    "VA": "39 06698",
    "GG": "44 1481 7781 7839 79111 79117",
    "IM": "44 1624 74576 7524 7624 7924",
    "JE": "44 1534 7509 77003 77007 77008 7797 7829 7937",
    "SJ": "47 79",
    "CC": "61 89162",
    "CX": "61 89164",
    "EH": "212 5288 5289",
    "YT": "262 2689 269 639 70935 70936 70937 9398 9478 9769",
    "TA": "290 8",
    "AX": "358 18",
    "BQ": "599 3 4 7",
}


def _read(table: str) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """COUNTRIES as three look-ups: code -> name, calling code -> code, mobile country code -> code."""
    names, calling_codes, mccs = {}, {}, {}
    for row in table.strip().splitlines():
        country, _, row_mccs = row.partition(":")
        iso2, calling_code, name = country.split(maxsplit=2)
        names[iso2] = name
        if calling_code != "-":
            calling_codes[calling_code.removeprefix("+")] = iso2
        mccs.update(dict.fromkeys(row_mccs.split(), iso2))
    return names, calling_codes, mccs


def _read_shared(table: dict[str, str]) -> dict[str, list[tuple[int, dict[str, str]]]]:
    """SHARED by calling code: (how many leading digits, those digits -> country), the longest first."""
    shared: dict[str, dict[int, dict[str, str]]] = {}
    for iso2, row in table.items():
        calling_code, *rest = row.split()
        for leading in rest:
            shared.setdefault(calling_code, {}).setdefault(len(leading), {})[leading] = iso2
    return {calling_code: sorted(by_length.items(), reverse=True) for calling_code, by_length in shared.items()}


_NAMES, _CALLING_CODES, _MCCS = _read(COUNTRIES)
_SHARED: Final = _read_shared(SHARED)


def country_of(number: str) -> str | None:
    """The country an E.164 number (with the plus) was issued in, as far as its leading digits decide.

    None for short codes, names, and codes that are no country's (+800, +870, +882, …).
    """
    if not number.startswith("+"):
        return None
    for end in (2, 3, 4):  # 1 to 3 digits after the plus; no calling code begins with another
        if iso2 := _CALLING_CODES.get(number[1:end]):
            for length, sharers in _SHARED.get(number[1:end], ()):
                if sharer := sharers.get(number[end : end + length]):
                    return sharer
            return iso2
    return None


def country_of_mcc(mcc: str) -> str | None:
    """The country of a mobile country code; None if unknown or no country's (901: ships, satellites)."""
    return _MCCS.get(mcc)


def name_of(iso2: str) -> str | None:
    """The country's short English name; None for a code that is nobody's."""
    return _NAMES.get(iso2)

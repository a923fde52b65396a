"""Mobile networks: the name people know one by, from its mobile country code (MCC) and mobile network code (MNC).

A curated part of ITU-T E.212, brands as known in 2026: the networks that carry most of the world's messages, not all
there are. Codes of merged and closed networks are kept with the name of the owner, since they still turn up.
"""

from typing import Final

#: Country, MCC: then `codes name; …`, where codes are whole numbers and ranges of them. A long row goes on in the next.
#: The country is the one `country_of_mcc` gives, here for the reader.
NETWORKS: Final = """
GR 202: 1,2 Cosmote; 5,14 Vodafone; 9,10 Nova
NL 204: 2,16,20 Odido; 4 Vodafone; 8,10,12,69 KPN; 9 Lycamobile; 15,18 Ziggo; 17 Lebara
BE 206: 1 Proximus; 5 Telenet; 6 Lycamobile; 8 VOO; 10 Orange; 20 BASE
FR 208: 1,2 Orange; 8-11,13 SFR; 15,16,35,36 Free; 20,21,88 Bouygues Telecom; 22 Transatel; 25 Lycamobile
FR 208: 26 NRJ Mobile; 38 Lebara
MC 212: 10 Monaco Telecom
AD 213: 3 Andorra Telecom
ES 214: 1,6,24 Vodafone; 3,9 Orange; 4,29 Yoigo; 5,7,38 Movistar; 8 Euskaltel; 16 Telecable; 17 R; 19 Simyo; 22 Digi
HU 216: 1 Yettel; 3 Digi; 30 Telekom; 70,71 One
BA 218: 3 HT Eronet; 5 m:tel; 90 BH Telecom
HR 219: 1 Hrvatski Telekom; 2 Telemach; 10 A1
RS 220: 1 Yettel; 3 mts; 5 A1; 11 Globaltel
XK 221: 1 Vala; 2 IPKO
IT 222: 1,43,48 TIM; 6,10 Vodafone; 7 Kena Mobile; 8,47 Fastweb; 33 PosteMobile; 35 Lycamobile; 36 Digi; 50 iliad
IT 222: 53 CoopVoce; 56 spusu; 37,88,99 WindTre
RO 226: 1 Vodafone; 3,6 Telekom; 5 Digi; 10 Orange; 16 Lycamobile
CH 228: 1 Swisscom; 2,53 Sunrise; 3 Salt; 54 Lycamobile
CZ 230: 1,7 T-Mobile; 2 O2; 3 Vodafone; 4 Nordic Telecom
SK 231: 1,5 Orange; 2,4 Telekom; 3 4ka; 6 O2
AT 232: 1,2,9 A1; 3,4,13 Magenta; 5,10,14,16 Drei; 7 HoT; 8 Lycamobile; 11 bob; 12 yesss!; 17 spusu
GB 234: 0,76 BT; 2,10,11 O2; 3 Airtel-Vodafone; 15 Vodafone; 16 TalkTalk; 20 Three; 25 Truphone; 26 Lycamobile
GB 234: 30-34 EE; 36,55 Sure; 38 Virgin Mobile; 50 JT; 57 Sky Mobile; 58 Manx Telecom; 78 Airwave
GB 235: 1,2 EE; 77 BT; 91,92 Vodafone; 94 Three
DK 238: 1,10 TDC; 2,77 Telenor; 6 3; 12 Lycamobile; 20 Telia
SE 240: 1 Telia; 2,4 3; 3 Net1; 6,8 Telenor; 7,10,14 Tele2; 12 Lycamobile
NO 242: 1 Telenor; 2,8 Telia; 6,14 ice; 9 Com4; 23 Lycamobile
FI 244: 3,4,12,13 DNA; 5,6,20,21 Elisa; 14 Ålcom; 91 Telia
LT 246: 1 Telia; 2 Bitė; 3 Tele2
LV 247: 1 LMT; 2 Tele2; 5 Bite
EE 248: 1 Telia; 2 Elisa; 3 Tele2
RU 250: 1 MTS; 2 MegaFon; 11 Yota; 20 T2; 28,99 Beeline; 32 Win Mobile; 35 Motiv; 50 SberMobile; 60 Volna Mobile
UA 255: 1 Vodafone; 2,3,5 Kyivstar; 6 lifecell; 7 3Mob; 21 PEOPLEnet
BY 257: 1 A1; 2 MTS; 4 life:)
MD 259: 1 Orange; 2 Moldcell; 3,5,99 Moldtelecom
PL 260: 1,15-17 Plus; 2,10 T-Mobile; 3,5 Orange; 6,98 Play; 9 Lycamobile; 12 Cyfrowy Polsat
DE 262: 1,6,78 Telekom; 2,4,9 Vodafone; 3,5,7,8,11,17,77 O2; 20 Enreach; 22 sipgate; 23 1&1; 43 Lycamobile
GI 266: 1 Gibtelecom
PT 268: 1 Vodafone; 3 NOS; 4 Lycamobile; 6,80 MEO
LU 270: 1 POST; 77 Tango; 99 Orange
IE 272: 1 Vodafone; 2,5,17 Three; 3,7,8 eir; 11 Tesco Mobile; 13 Lycamobile; 15 Virgin Mobile
IS 274: 1 Síminn; 2 Vodafone; 11 Nova
AL 276: 1,3 One; 2 Vodafone
MT 278: 1 Epic; 21 GO; 77 Melita
CY 280: 1 Cyta; 10 Epic; 20 PrimeTel; 22 Cablenet
GE 282: 1 Silknet; 2 Magti; 4 Cellfie
AM 283: 1 Team; 5 Viva; 10 Ucom
BG 284: 1 A1; 3 Vivacom; 5 Yettel
TR 286: 1 Turkcell; 2 Vodafone; 3 Türk Telekom
FO 288: 1 Føroya Tele; 2 Nema
GL 290: 1 Tusass
SI 293: 40 A1; 41 Telekom Slovenije; 64 T-2; 70 Telemach
MK 294: 1 Telekom; 2,3 A1; 4 Lycamobile
LI 295: 1 Swisscom; 2 Salt; 5 FL1
ME 297: 1 One; 2 Telekom; 3 m:tel
CA 302: 220 Telus; 270 Eastlink; 320,370,720 Rogers; 490 Freedom Mobile; 500,510 Videotron; 610,690 Bell
CA 302: 620 ICE Wireless; 650 Tbaytel; 660 Bell MTS; 680,780 SaskTel; 760 Public Mobile; 880 Bell / Telus / SaskTel
US 310: 4,6,12 Verizon; 30,70,80,90,150,170,380,410,680,950 AT&T
US 310: 53,120,160,200,210,220,230,240,250,260,270,310,490,660,800 T-Mobile; 20 Union Wireless; 50,190,430 GCI
US 310: 32,110,400,480 IT&E; 130 Carolina West Wireless; 140 GTA; 320 Cellular One; 370 Docomo Pacific; 450,740 Viaero
US 310: 600 Cellcom; 730 UScellular
US 311: 70,90,180 AT&T; 110,270-289,390,480-489 Verizon; 220-229,580-589 UScellular; 230 C Spire; 370 GCI
US 311: 490,660,870,880,882 T-Mobile; 780 ASTCA
US 312: 120,130 Appalachian Wireless; 190,250,530 T-Mobile; 670 FirstNet; 680 AT&T; 720 Southern Linc
US 313: 100,110,120,130,140 FirstNet; 340 Boost Mobile; 790 Liberty
PR 330: 110 Claro
MX 334: 20 Telcel; 3,30 Movistar; 10,40,50,70,80,90 AT&T; 140 Altán
JM 338: 5,50 Digicel; 110,180 Flow
GP 340: 1 Orange; 2 SFR; 20 Digicel
BB 342: 600 Flow; 750 Digicel
AG 344: 30 APUA; 50 Digicel; 920 Flow
KY 346: 50 Digicel; 140 Flow
VG 348: 170 Flow; 570 CCT; 770 Digicel
BM 350: 0 One; 1 Digicel
GD 352: 30 Digicel; 110 Flow
MS 354: 860 Flow
KN 356: 50 Digicel; 110 Flow
LC 358: 50 Digicel; 110 Flow
VC 360: 50 Digicel; 110 Flow
CW 362: 51 Telcell; 60,91 Flow; 68,69,76 Digicel
AW 363: 1 SETAR; 2 Digicel
BS 364: 39 BTC; 49 Aliv
AI 365: 10 Digicel; 840 Flow
DM 366: 20 Digicel; 110 Flow
CU 368: 1 Cubacel
DO 370: 1,3 Altice; 2 Claro; 4 Viva
HT 372: 2 Digicel; 3 Natcom
TT 374: 12 bmobile; 130 Digicel
TC 376: 50 Digicel; 350 Flow
AZ 400: 1 Azercell; 2 Bakcell; 4 Nar; 6 Naxtel
KZ 401: 1 Beeline; 2 Kcell; 7 Altel; 77 Tele2
BT 402: 11 B-Mobile; 77 TashiCell
IN 404: 1,4,5,7,11-15,19,20,22,24,27,30,43,44,46,56,60,78,82,84,86-89 Vi; 2,3,10,16,31,40,45,49,70,90,92-98 Airtel
IN 404: 34,38,51,53-55,57-59,62,64,66,71-77,79-81 BSNL; 68,69 MTNL
IN 405: 51-56 Airtel; 66,67,70,750-756,799,845-853,908-911 Vi; 840,854-874 Jio
PK 410: 1,7 Jazz; 3 Ufone; 4 Zong; 5,8 SCO; 6 Telenor
AF 412: 1 AWCC; 20 Roshan; 40 Atoma; 50 Etisalat; 80,88 Salaam
LK 413: 1 SLT-Mobitel; 2,11 Dialog; 5 Airtel; 3,8 Hutch
MM 414: 0,1,2,4 MPT; 5 Ooredoo; 6 ATOM; 9 Mytel
LB 415: 1 Alfa; 3 touch
JO 416: 1 Zain; 3 Umniah; 77 Orange
SY 417: 1 Syriatel; 2 MTN
IQ 418: 0,5 Asiacell; 20,30 Zain; 40 Korek
KW 419: 2 Zain; 3 Ooredoo; 4 stc
SA 420: 1 stc; 3 Mobily; 4 Zain; 5 Virgin Mobile; 6 Lebara
YE 421: 1 SabaFon; 2 YOU; 3 Yemen Mobile; 4 Y
OM 422: 2 Omantel; 3 Ooredoo; 6 Vodafone
AE 424: 2 e&; 3 du
IL 425: 1,10 Partner; 2 Cellcom; 3 Pelephone; 5 Jawwal; 6 Ooredoo; 7 Hot Mobile; 8 Golan Telecom; 9 We4G; 16 Rami Levy
IL 425: 19 019 Mobile
BH 426: 1,5 Batelco; 2 Zain; 4 stc
QA 427: 1 Ooredoo; 2 Vodafone
MN 428: 88 Unitel; 91 Skytel; 98 G-Mobile; 99 Mobicom
NP 429: 1 Nepal Telecom; 2 Ncell; 4 SmartCell
IR 432: 11 Hamrah-e Aval; 20 RighTel; 32 Taliya; 35 Irancell
UZ 434: 3,8 Uzmobile; 4 Beeline; 5 Ucell; 6 Perfectum; 7 Mobiuz
TJ 436: 1,2 Tcell; 3 MegaFon; 4 Babilon-M; 5 ZET-Mobile
KG 437: 1 Beeline; 5 MEGA; 9 O!
TM 438: 2 TMCELL
JP 440: 0,20,21 SoftBank; 10 NTT Docomo; 11 Rakuten Mobile; 50-54,70-76,78 au
KR 450: 2,4,8 KT; 5,12 SK Telecom; 6 LG U+
VN 452: 1 MobiFone; 2 VinaPhone; 4 Viettel; 5 Vietnamobile; 7 Gmobile; 8 iTel; 9 Wintel
HK 454: 0,2,10,16,18-20,29 HKT; 3,4,5,14 3; 6,15,17 SmarTone; 7 China Unicom; 12,13,30 China Mobile; 31 CTExcel
MO 455: 0,6 SmarTone; 1,4 CTM; 3,5 3; 2,7 China Telecom
KH 456: 1,18 Cellcard; 2,5,6 Smart; 8,9 Metfone; 11 Seatel
LA 457: 1 Lao Telecom; 2 ETL; 3 Unitel; 7 Best; 8 TPlus
CN 460: 0,2,4,7,8 China Mobile; 1,6,9 China Unicom; 3,5,11 China Telecom; 15 China Broadnet; 20 China Tietong
TW 466: 1-3,5-7,88 Far EasTone; 11,92 Chunghwa Telecom; 89,90,93,97,99 Taiwan Mobile
BD 470: 1 Grameenphone; 2 Robi; 3 Banglalink; 4 Teletalk; 7 Airtel
MV 472: 1 Dhiraagu; 2 Ooredoo
MY 502: 12,17 Maxis; 13,16,19 CelcomDigi; 18 U Mobile; 150 Tune Talk; 152 Yes; 153 unifi; 156 Altel
AU 505: 1,11,71,72 Telstra; 2,90 Optus; 3 Vodafone; 19 Lycamobile
ID 510: 1,21 Indosat; 8 Axis; 9,28 Smartfren; 10 Telkomsel; 11 XL; 89 3
TL 514: 1 Telkomcel; 2 Timor Telecom; 3 Telemor
PH 515: 2 Globe; 3 Smart; 5 Sun; 66 DITO
TH 520: 1,3,23 AIS; 0,4,99 TrueMove H; 5,18 dtac; 2,15,17,47 NT
SG 525: 1,2,7 Singtel; 3,4,11 M1; 5,6,8 StarHub; 9 Circles.Life; 10 Simba
BN 528: 2 Progresif; 11 DST
NZ 530: 1 One NZ; 5 Spark; 24 2degrees
NR 536: 2 Digicel
PG 537: 1 bmobile; 3 Digicel
TO 539: 1 U-Call; 88 Digicel
SB 540: 1 Our Telekom; 2 bmobile
VU 541: 1 Vodafone; 5 Digicel
FJ 542: 1 Vodafone; 2 Digicel
NC 546: 1 OPT
PF 547: 15 Vodafone; 20 Vini
CK 548: 1 Vodafone
WS 549: 1 Digicel; 27 Vodafone
EG 602: 1 Orange; 2 Vodafone; 3 e&; 4 WE
DZ 603: 1 Mobilis; 2 Djezzy; 3 Ooredoo
MA 604: 0 Orange; 1,6 Maroc Telecom; 2,5 inwi
TN 605: 1 Orange; 2 Tunisie Telecom; 3 Ooredoo
LY 606: 0 Libyana; 1 Almadar
GM 607: 1 Gamcel; 2 Africell; 3 Comium; 4 QCell
SN 608: 1 Orange; 2 Yas; 3 Expresso
MR 609: 1 Mattel; 2 Chinguitel; 10 Moov
ML 610: 1 Moov; 2 Orange; 3 Telecel
GN 611: 1 Orange; 4 MTN; 5 Cellcom
CI 612: 2 Moov; 3 Orange; 5 MTN
BF 613: 1 Moov; 2 Orange; 3 Telecel
NE 614: 1 Niger Telecoms; 2 Airtel; 3 Moov; 4 Zamani
TG 615: 1 Yas; 3 Moov
BJ 616: 2 Moov; 3 MTN
MU 617: 1 my.t; 3 Chili; 10 Emtel
LR 618: 1 Lonestar MTN; 7 Orange
SL 619: 1 Orange; 2,3,5 Africell; 6 Sierratel; 7 QCell
GH 620: 1 MTN; 2 Telecel; 3,6 AT; 7 Glo
NG 621: 20 Airtel; 27 Smile; 30 MTN; 40 ntel; 50 Glo; 60 T2
TD 622: 1 Airtel; 3 Moov
CF 623: 1 Moov; 2 Telecel; 3 Orange; 4 Azur
CM 624: 1 MTN; 2 Orange; 3 Camtel; 4 Nexttel
CV 625: 1 CVMóvel; 2 Unitel T+
ST 626: 1 CSTmovel; 2 Unitel
GQ 627: 1 GETESA; 3 Muni
GA 628: 2 Moov; 3 Airtel
CG 629: 1 Airtel; 10 MTN
CD 630: 1 Vodacom; 2 Airtel; 86,89 Orange; 90 Africell
AO 631: 2 Unitel; 4 Movicel; 5 Africell
GW 632: 2 Telecel; 3 Orange
SC 633: 1 Cable & Wireless; 10 Airtel
SD 634: 1 Zain; 2 MTN; 7 Sudani
RW 635: 10 MTN; 13 Airtel
ET 636: 1 Ethio Telecom
SO 637: 1 Telesom; 30 Golis; 50 Hormuud; 71 Somtel
DJ 638: 1 Djibouti Telecom
KE 639: 2 Safaricom; 3,5 Airtel; 7 Telkom; 10 Faiba
TZ 640: 2,3 Yas; 4 Vodacom; 5 Airtel; 7 TTCL; 9 Halotel
UG 641: 1,22 Airtel; 10 MTN; 11 UTel
BI 642: 1,82 Econet Leo; 3 Onatel; 8 Lumitel
MZ 643: 1 Tmcel; 3 Movitel; 4 Vodacom
ZM 645: 1 Airtel; 2 MTN; 3 Zamtel
MG 646: 1 Airtel; 2 Orange; 4 Yas
RE 647: 0 Orange; 1 Maoré Mobile; 2,3 Free; 10 SFR
ZW 648: 1 NetOne; 3 Telecel; 4 Econet
NA 649: 1 MTC; 3 TN Mobile
MW 650: 1 TNM; 10 Airtel
LS 651: 1 Vodacom; 2 Econet
BW 652: 1 Mascom; 2 Orange; 4 BTC
SZ 653: 2 Eswatini Mobile; 10 MTN
KM 654: 1 HURI; 2 Yas
ZA 655: 1 Vodacom; 2,3,5 Telkom; 7 Cell C; 10,12 MTN; 19,38,73,74 rain; 53 Lycamobile
ER 657: 1 Eritel
SH 658: 1 Sure
SS 659: 2 MTN; 6 Zain; 7 Sudani
BZ 702: 67 Digi; 69,99 Smart
GT 704: 1,3 Claro; 2 Tigo
SV 706: 1 Claro; 2 Digicel; 3 Tigo; 4 Movistar
HN 708: 1 Claro; 2 Tigo; 30 Hondutel
NI 710: 21,73 Claro; 300 Tigo
CR 712: 1,2 Kölbi; 3 Claro; 4 Liberty
PA 714: 1 +Móvil; 2,20 Tigo; 3 Claro; 4 Digicel
PE 716: 6 Movistar; 7,17 Entel; 10 Claro; 15 Bitel
AR 722: 7,10,70 Movistar; 34,341 Personal; 310,320,330 Claro
BR 724: 2-4 TIM; 5,12,38 Claro; 6,10,11,23 Vivo; 15 Sercomtel; 16,30,31 Oi; 17 Surf Telecom; 18 Datora; 32-34 Algar
CL 730: 1,10 Entel; 2,7 Movistar; 3,23 Claro; 4,9 WOM; 8 VTR; 13 Virgin Mobile
CO 732: 1,123,124 Movistar; 20,103,111,165 Tigo; 100,101 Claro; 130,360 WOM; 154 Virgin Mobile; 187 ETB
VE 734: 1,2 Digitel; 4 Movistar; 6 Movilnet
BO 736: 1 Viva; 2 Entel; 3 Tigo
GY 738: 1 Digicel; 2 GTT
EC 740: 0 Movistar; 1 Claro; 2 CNT
PY 744: 1 VOX; 2 Claro; 4 Tigo; 5 Personal
SR 746: 2 Telesur; 3 Digicel
UY 748: 0,1,3 Antel; 7 Movistar; 10 Claro
FK 750: 1 Sure
"""


def _read(table: str) -> dict[tuple[str, int], str]:
    """NETWORKS as (MCC, MNC) -> name. Raises ValueError where two names claim one code."""
    names: dict[tuple[str, int], str] = {}
    for row in table.strip().splitlines():
        place, _, networks = row.partition(": ")
        mcc = place.split()[1]
        for network in networks.split("; "):
            codes, name = network.split(" ", 1)
            for mnc in _whole_numbers(codes):
                if names.setdefault((mcc, mnc), name) != name:
                    raise ValueError(f"{mcc} {mnc} is both {names[mcc, mnc]} and {name}")
    return names


def _whole_numbers(codes: str) -> list[int]:
    """`1,8-10` -> 1, 8, 9, 10"""
    spans = (code.partition("-") for code in codes.split(","))
    return [number for first, _, last in spans for number in range(int(first), int(last or first) + 1)]


_NAMES: Final = _read(NETWORKS)


def network_name(mcc: str | None, mnc: str | None) -> str | None:
    """The network's name, or None if it is not in the table.

    Some providers pad the MNC to three digits and some don't, so `15` and `015` find the same network (`26` and `260`
    do not). What that loses: E.212 calls them two networks, and where a country has both we name whichever is listed.
    """
    if not mcc or not mnc or len(mnc) > 3 or not mnc.isdecimal():
        return None
    return _NAMES.get((mcc, int(mnc)))

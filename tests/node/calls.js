// Calls the stand-in for Plivo with Plivo's own SDK for Node, takes its callbacks and has the SDK prove them.
//
//   BASE_URL=http://127.0.0.1:9100 AUTH_ID=MA… AUTH_TOKEN=… node calls.js
//
// Prints one object of JSON: `calls`, what each call came to, and `callbacks`, what was heard, with the SDK's verdicts.
'use strict';
const http = require('http');
const plivo = require('plivo');

const { BASE_URL, AUTH_ID, AUTH_TOKEN } = process.env;
const client = new plivo.Client(AUTH_ID, AUTH_TOKEN, { url: `${BASE_URL}/v1/Account/${AUTH_ID}` });
const TO = '+15005550000';
const callbacks = [];
const calls = {};

function verdicts(request, url, fields) {
  const found = {};
  for (const name of ['', '-ma']) {
    const header = (family) => request.headers[`x-plivo-signature${name}-${family}`];
    const nonce = (family) => request.headers[`x-plivo-signature-${family}-nonce`];
    if (header('v2')) found[`v2${name}`] = plivo.validateSignature(url, nonce('v2'), header('v2'), AUTH_TOKEN);
    if (header('v3')) {
      const params = request.method === 'POST' ? { ...fields } : {};
      found[`v3${name}`] = plivo.validateV3Signature(
        request.method, url, nonce('v3'), AUTH_TOKEN, header('v3'), params);
    }
  }
  return found;
}

const receiver = http.createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const url = `http://127.0.0.1:${receiver.address().port}${request.url}`;
    const sent = request.method === 'POST' ? Buffer.concat(chunks).toString() : url.split('?')[1] || '';
    const fields = Object.fromEntries(new URLSearchParams(sent));
    const path = request.url.split('?')[0];
    callbacks.push({ method: request.method, path, fields, verdicts: verdicts(request, url, fields) });
    response.writeHead(200).end();
  });
});

async function heard(path, name, word) {
  for (let tries = 0; tries < 500; tries += 1) {
    if (callbacks.some((each) => each.path === path && each.fields[name] === word)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nobody said ${word} at ${path}`);
}

async function call(name, made) {
  calls[name] = JSON.parse(JSON.stringify(await made));
  return calls[name];
}

// The status and words that the SDK's error tells of.
async function refused(name, made) {
  calls[name] = await made.then(() => 'taken', (error) => ({ status: error.status, message: error.message }));
}

async function messages(url) {
  const sent = await call('send', client.messages.create({
    src: '+12025550000', dst: '+15005550000', text: 'Hello, this is a sample message', method: 'GET',
    url: `${url}/sms_status/?shop=7`,
  }));
  await heard('/sms_status/', 'Status', 'delivered');
  await call('get', client.messages.get(sent.messageUuid[0]));
  await call('post', client.messages.create('+12025550000', '+15005550030', 'Grüße', { url: `${url}/posted/` }));
  await heard('/posted/', 'Status', 'undelivered');
  await call('list', client.messages.list({ limit: 1, message_direction: 'outbound', message_time__gte: '2020-01-01 00:00' }));
  await call('several', client.messages.create('+12025550000', '+12025550101<+12025550102', 'Hi'));
  const mms = await call('mms', client.messages.create({
    src: '+12025550000', dst: TO, text: 'Look', type: 'mms', media_urls: ['https://media.example.com/a.png'],
  }));
  await call('media', client.messages.listMedia(mms.messageUuid[0]));
  await call('whatsapp', client.messages.create({
    src: '+12025550000', dst: TO, type: 'whatsapp', template: { name: 'order', language: 'en' },
  }));
  await refused('barred', client.messages.create('+12025550000', '+15005559403', 'Hi'));
  await refused('same', client.messages.create('+12025550000', '+12025550000', 'Hi'));
  await refused('unknown', client.messages.get('no-such-message'));
}

async function sessions(url) {
  const asked = { app_uuid: 'ee4b7a2e-46aa-4ed1-9a8a-2a1a06c2f3b6', recipient: TO, url: `${url}/verify_status/` };
  const started = await call('session', client.verify_session.create({ ...asked, method: 'POST', channel: 'sms' }));
  await heard('/verify_status/', 'ChannelStatus', 'delivered');
  await refused('wrong code', client.verify_session.validate({ id: started.sessionUuid, otp: '000000' }));
  // The code of this magic number; whoever verifies real people does not know it.
  await call('validate', client.verify_session.validate({ id: started.sessionUuid, otp: '123456' }));
  await heard('/verify_status/', 'SessionStatus', 'verified');
  await call('get session', client.verify_session.get(started.sessionUuid));
  await call('list sessions', client.verify_session.list({ recipient: '15005550000' }));
}

async function registrations(url) {
  const profile = await call('profile', client.profile.create(
    'acme', '', 'DIRECT', 'PRIVATE', 'Acme Inc.', '111111111', 'INSURANCE', 'US', '', '', 'NONE', '', {}, {}, '', ''));
  await call('get profile', client.profile.get(profile.profileUuid));
  const callback = (path) => ({ url: `${url}/${path}/`, method: 'POST' });
  const brand = await call('brand', client.brand.create(
    'approved', profile.profileUuid, 'STANDARD', true, callback('tendlc_status')));
  await heard('/tendlc_status/', 'Status', 'registered');
  await call('get brand', client.brand.get(brand.brand_id));
  await call('list brands', client.brand.list({ status: 'COMPLETED' }));
  await call('use cases', client.brand.get_usecases(brand.brand_id));
  const campaign = await call('campaign', client.campaign.create(
    brand.brand_id, 'approved', 'INSURANCE', 'MIXED', ['CUSTOMER_CARE', '2FA'],
    'Codes that our customers type to sign in, and news of what they bought',
    false, false, false, false, true, true, true, false,
    'Your code for Acme is 123456.', 'Your order 17 is out for delivery.', '', '', '',
    'People tick a box when they sign up', 'Write to help@acme.example', 'You will not hear from us again', '', '',
    callback('campaign_status')));
  await heard('/campaign_status/', 'Status', 'registered');
  await call('get campaign', client.campaign.get(campaign.campaignId));
  await call('list campaigns', client.campaign.list({ usecase: 'MIXED' }));
  await call('link', client.campaign.linkNumber(campaign.campaignId, ['15005550000'], callback('links')));
  await heard('/links/', 'Status', 'success');
  await call('list links', client.campaign.listNumber(campaign.campaignId));
  await call('get link', client.campaign.getNumber(campaign.campaignId, '15005550000'));
  await call('unlink', client.campaign.unlinkNumber(campaign.campaignId, '15005550000', callback('unlinks')));
  await heard('/unlinks/', 'Status', 'success');
  await call('give up', client.campaign.deleteCampaign(campaign.campaignId));
}

async function account() {
  await call('account', client.accounts.get());
  await call('numbers', client.numbers.list({ limit: 2 }));
  const sub = await call('subaccount', client.subaccounts.create('shop', true));
  await call('get subaccount', client.subaccounts.get(sub.authId));
  const stranger = new plivo.Client(AUTH_ID, 'another token', { url: `${BASE_URL}/v1/Account/${AUTH_ID}` });
  await refused('stranger', stranger.messages.list());
}

receiver.listen(0, '127.0.0.1', async () => {
  try {
    const url = `http://127.0.0.1:${receiver.address().port}`;
    await messages(url);
    await sessions(url);
    await registrations(url);
    await account();
    process.stdout.write(JSON.stringify({ calls, callbacks }), () => process.exit(0));
  } catch (error) {
    process.stderr.write(`${(error && error.stack) || error}\n`, () => process.exit(1));
  }
});

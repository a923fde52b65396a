// A webhook as most people write it in Node: Express, a pool of connections, one INSERT per request.
// Run with PORT, PGHOST, PGUSER, PGDATABASE, AUTH_TOKEN and PUBLIC_URL in the environment.

const crypto = require("node:crypto");
const express = require("express");
const { Pool } = require("pg");

const { AUTH_TOKEN, PORT, PUBLIC_URL } = process.env;
const pool = new Pool();
const app = express();

app.use(express.urlencoded({ extended: false }));

app.post("/plivo/status", async (request, response) => {
  const nonce = request.get("X-Plivo-Signature-V2-Nonce") ?? "";
  const given = Buffer.from(request.get("X-Plivo-Signature-V2") ?? "");
  const expected = Buffer.from(
    crypto.createHmac("sha256", AUTH_TOKEN).update(PUBLIC_URL + request.path + nonce).digest("base64"),
  );
  if (given.length !== expected.length || !crypto.timingSafeEqual(given, expected)) {
    response.sendStatus(403);
    return;
  }
  await pool.query("INSERT INTO callbacks (message_uuid, status, fields, received_at) VALUES ($1, $2, $3, now())", [
    request.body.MessageUUID,
    request.body.Status,
    request.body,
  ]);
  response.sendStatus(200);
});

async function main() {
  await pool.query(`CREATE TABLE IF NOT EXISTS callbacks (
    id bigserial PRIMARY KEY, message_uuid text NOT NULL, status text NOT NULL, fields jsonb NOT NULL,
    received_at timestamptz NOT NULL)`);
  await pool.query("CREATE INDEX IF NOT EXISTS callbacks_message_uuid ON callbacks (message_uuid)");
  app.listen(Number(PORT), "127.0.0.1");
}

main();

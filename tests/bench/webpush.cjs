// The yardstick: web-push of npm, keep-alive, 64 at once. Reads what to send from its first argument, tells CPU and wall.
"use strict";

const fs = require("node:fs");
const https = require("node:https");
const path = require("node:path");
const webpush = require(path.join(__dirname, "..", "node_modules", "web-push"));

const AT_ONCE = 64;
const { subscriptions, payload, ttl, topic, warm, contact } = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const keys = webpush.generateVAPIDKeys();
const lookup = (_host, options, done) =>
  options.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4);
const agent = new https.Agent({ keepAlive: true, maxSockets: AT_ONCE, lookup });
const options = {
  TTL: ttl,
  urgency: "high",
  topic,
  agent,
  vapidDetails: { subject: contact, publicKey: keys.publicKey, privateKey: keys.privateKey },
};

async function send(some) {
  let next = 0;
  async function one() {
    while (next < some.length) {
      const answer = await webpush.sendNotification(some[next++], payload, options);
      if (answer.statusCode !== 201) {
        throw new Error(`answered ${answer.statusCode}`);
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

(async () => {
  await send(subscriptions.slice(0, warm));
  const measured = subscriptions.slice(warm);
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  await send(measured);
  const spent = process.cpuUsage(cpu);
  const seconds = (performance.now() - wall) / 1000;
  console.log(JSON.stringify({ cpu: (spent.user + spent.system) / 1e6, wall: seconds, count: measured.length }));
  agent.destroy();
})();

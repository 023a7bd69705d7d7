// An SMSC by npm's smpp: node smsc.js '{"numbers": {"49…": ["throttled", …]}, "password": "…", "receipts": {"49…": "DELIVRD"}}'
// It tells what it does, one JSON object a line. A number's words are used up one by one; then it is taken.
const path = require("path");
const smpp = require(path.join(__dirname, "..", "..", "node_modules", "smpp"));

const given = JSON.parse(process.argv[2] || "{}");
const numbers = given.numbers || {};
const STATUS = {
  throttled: smpp.ESME_RTHROTTLED, full: smpp.ESME_RMSGQFUL, fault: smpp.ESME_RSYSERR,
  refused: smpp.ESME_RINVDSTADR, sender: smpp.ESME_RINVSRCADR, carrier: 0x450,
};
const tell = (event, more) => console.log(JSON.stringify({ event, ...more }));
const pieces = {};
let next = 1;

function receipt(session, to, id, state) {
  const text = `id:${id} sub:001 dlvrd:001 submit date:3009131740 done date:3009131741 stat:${state} err:000 text:`;
  session.deliver_sm({ source_addr: to, destination_addr: "Leipzig", esm_class: 4, short_message: text },
    () => tell("receipt taken"));
}

function text(pdu) {
  if (pdu.message_payload) return pdu.message_payload.message || pdu.message_payload;
  return pdu.short_message.message;
}

const server = smpp.createServer((session) => {
  session.on("error", () => {});
  session.on("bind_transceiver", (pdu) => {
    const known = !given.password || pdu.password === given.password;
    tell("bind", { system_id: pdu.system_id, known });
    session.send(pdu.response({ command_status: known ? 0 : smpp.ESME_RINVPASWD }));
  });
  session.on("unbind", (pdu) => { tell("unbind"); session.send(pdu.response()); session.close(); });
  session.on("enquire_link", (pdu) => session.send(pdu.response()));
  session.on("submit_sm", (pdu) => {
    const to = pdu.destination_addr;
    const words = (numbers[to] || []).shift();
    tell("submit", {
      to, text: text(pdu), coding: pdu.data_coding, esm: pdu.esm_class, ton: [pdu.source_addr_ton, pdu.dest_addr_ton],
      validity: pdu.validity_period, receipt: pdu.registered_delivery, from: pdu.source_addr, words: words || "",
    });
    if (words === "silent") return;
    if (words === "drop") return session.destroy();
    if (words === "unbind") session.send(new smpp.PDU("unbind"));
    if (words in STATUS) return session.send(pdu.response({ command_status: STATUS[words] }));
    const id = String(next++);
    const udh = pdu.short_message && pdu.short_message.udh && pdu.short_message.udh[0];
    if (udh) {
      const [reference, count, number] = [udh[2], udh[3], udh[4]];
      const found = (pieces[`${to} ${reference}`] = pieces[`${to} ${reference}`] || []);
      found[number - 1] = text(pdu);
      if (found.filter(() => true).length === count) tell("whole", { to, text: found.join("") });
    } else tell("whole", { to, text: text(pdu) });
    session.send(pdu.response({ message_id: id }));
    const state = (given.receipts || {})[to];
    if (state && pdu.registered_delivery) receipt(session, to, id, state);
    if ((given.odd || []).includes(to)) {
      session.deliver_sm({ source_addr: to, destination_addr: "Leipzig", esm_class: 4,
        short_message: `id:${id} sub:001 dlvrd:001 stat:DELIVRD err:0A1 text:` });
    }
    const answer = (given.replies || {})[to];
    if (answer) session.deliver_sm({ source_addr: to, source_addr_ton: 1, destination_addr: "4930", short_message: answer });
  });
});
server.listen(given.port || 0, "127.0.0.1", () => tell("listening", { port: server.address().port }));
process.stdin.on("data", () => tell("so far")).on("end", () => process.exit(0));

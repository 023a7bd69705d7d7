// A directory (PLC) and an account server (PDS) of @atproto/dev-env on loopback, until stdin ends.
// node network.cjs FOLDER, where node_modules is; tells its address as one line of JSON.

const net = require("node:net");

// They would listen on every address of the machine.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (first, ...rest) {
  const options = first !== null && typeof first === "object" ? first : { port: Number(first) || 0 };
  return listen.call(this, { ...options, host: "127.0.0.1" }, ...rest.filter((one) => typeof one === "function"));
};

const { TestNetworkNoAppView } = require(require.resolve("@atproto/dev-env", { paths: [process.argv[2]] }));

TestNetworkNoAppView.create({ pds: { hostname: "localhost" } }).then(
  (network) => {
    process.stdin.on("end", () => process.exit(0)).resume();
    console.log(JSON.stringify({ url: network.pds.url }));
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);

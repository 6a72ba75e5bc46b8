// A socket of jszmq, ZeroMQ in JavaScript for browsers, run by Node. Started by tests/interop/jszmq.rs.
//
//   jszmq.js sub ENDPOINT TOPIC COUNT    subscribes, and prints so many messages
//   jszmq.js req ENDPOINT TEXT...        asks, one after the other, and prints each answer
//   jszmq.js push ENDPOINT COUNT SIZE    sends so many messages of a size, each beginning with its number
//   jszmq.js dealer ENDPOINT NAME TEXT   sends a text under a routing id, and prints the answer
//   jszmq.js rep PORT                    is bound there, and answers with the request in capitals
//
// Frames of a message are printed on one line, with | between them.

const path = require("path");
const zmq = require(path.join(__dirname, "..", "..", ".drafts", "node_modules", "jszmq"));

const [role, endpoint, ...rest] = process.argv.slice(2);

function print(frames) {
  console.log(frames.map((frame) => frame.toString()).join("|"));
}

const roles = {
  sub([topic, count]) {
    const socket = zmq.socket("sub");
    let left = Number(count);
    socket.on("message", (...frames) => {
      print(frames);
      left -= 1;
      if (left === 0) process.exit(0);
    });
    socket.connect(endpoint);
    socket.subscribe(topic);
  },
  req(texts) {
    const socket = zmq.socket("req");
    socket.connect(endpoint);
    socket.on("message", (...frames) => {
      print(frames);
      if (texts.length === 0) process.exit(0);
      socket.send(texts.shift());
    });
    socket.send(texts.shift());
  },
  push([count, size]) {
    const socket = zmq.socket("push");
    socket.connect(endpoint);
    for (let number = 0; number < Number(count); number += 1) {
      socket.send(String(number).padEnd(Number(size), "."));
    }
  },
  dealer([name, text]) {
    const socket = zmq.socket("dealer");
    socket.options.routingId = name;
    socket.connect(endpoint);
    socket.on("message", (...frames) => {
      print(frames);
      process.exit(0);
    });
    socket.send(text);
  },
  rep() {
    const socket = zmq.socket("rep");
    socket.on("message", (...frames) => socket.send(frames.map((frame) => frame.toString().toUpperCase())));
    socket.bind(endpoint);
    console.log("bound");
  },
};

roles[role](rest);

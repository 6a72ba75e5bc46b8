// What Node programs do with zeromq, on whatever libzmq.so.5 the addon finds: run by suite_zeromqjs.py, a check a line.
"use strict"
const zmq = require("zeromq")
const assert = require("assert")

const checks = {
  async version() {
    assert.match(zmq.version, /^4\.3\./)
  },
  async pushPull() {
    const push = new zmq.Push(), pull = new zmq.Pull()
    await push.bind("tcp://127.0.0.1:*")
    pull.connect(push.lastEndpoint)
    const count = 5000
    const sending = (async () => {
      for (let i = 0; i < count; i++) await push.send([String(i), Buffer.alloc(i % 3000)])
    })()
    for (let i = 0; i < count; i++) {
      const [number, body] = await pull.receive()
      assert.strictEqual(String(number), String(i))
      assert.strictEqual(body.length, i % 3000)
    }
    await sending
    push.close()
    pull.close()
  },
  async requestReply() {
    const reply = new zmq.Reply(), request = new zmq.Request()
    await reply.bind("inproc://reply")
    request.connect("inproc://reply")
    const serving = (async () => {
      for await (const [text] of reply) await reply.send(`re: ${text}`)
    })()
    for (let i = 0; i < 500; i++) {
      await request.send(`hello ${i}`)
      assert.strictEqual(String((await request.receive())[0]), `re: hello ${i}`)
    }
    request.close()
    reply.close()
    await serving
  },
  async publishSubscribe() {
    const pub = new zmq.XPublisher(), sub = new zmq.Subscriber()
    await pub.bind("tcp://127.0.0.1:*")
    sub.connect(pub.lastEndpoint)
    sub.subscribe("a")
    assert.deepStrictEqual([...(await pub.receive())[0]], [1, 97])
    await pub.send(["b", "no"])
    await pub.send(["a", "yes"])
    assert.strictEqual(String((await sub.receive())[1]), "yes")
    pub.close()
    sub.close()
  },
  async publisherExtendedSubscriber() {
    const pub = new zmq.Publisher(), sub = new zmq.XSubscriber()
    await pub.bind("inproc://news")
    sub.connect("inproc://news")
    await sub.send(Buffer.from([1, 98]))
    // It is published until the subscription has come.
    const got = sub.receive()
    let done = false
    got.then(() => (done = true))
    while (!done) {
      await pub.send(["a", "no"])
      await pub.send(["b", "yes"])
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.strictEqual(String((await got)[1]), "yes")
    pub.close()
    sub.close()
  },
  async routerDealer() {
    const router = new zmq.Router({mandatory: true}), dealer = new zmq.Dealer({routingId: "worker"})
    await router.bind("tcp://127.0.0.1:*")
    dealer.connect(router.lastEndpoint)
    for (let i = 0; i < 500; i++) {
      await dealer.send(["", `job ${i}`])
      const [name, empty, job] = await router.receive()
      assert.strictEqual(String(name), "worker")
      await router.send([name, empty, `done ${job}`])
      assert.strictEqual(String((await dealer.receive())[1]), `done job ${i}`)
    }
    // Before a peer has come, it would wait for one.
    await assert.rejects(router.send(["nobody", "x"]), {code: "EHOSTUNREACH"})
    router.close()
    dealer.close()
  },
  async pair() {
    const a = new zmq.Pair(), b = new zmq.Pair()
    await a.bind("inproc://pair")
    b.connect("inproc://pair")
    for (let i = 0; i < 200; i++) {
      await a.send(["to", String(i)])
      await b.send(["back", ...(await b.receive())])
      assert.deepStrictEqual((await a.receive()).map(String), ["back", "to", String(i)])
    }
    a.close()
    b.close()
  },
  async curve() {
    const server = zmq.curveKeyPair(), client = zmq.curveKeyPair()
    const rep = new zmq.Dealer({curveServer: true, curveSecretKey: server.secretKey})
    const req = new zmq.Dealer({
      curveServerKey: server.publicKey, curvePublicKey: client.publicKey, curveSecretKey: client.secretKey,
    })
    await rep.bind("tcp://127.0.0.1:*")
    req.connect(rep.lastEndpoint)
    await req.send("secret")
    assert.strictEqual(String((await rep.receive())[0]), "secret")
    rep.close()
    req.close()
  },
  async events() {
    const a = new zmq.Pair(), b = new zmq.Pair({reconnectInterval: 50})
    const connected = new Promise(resolve => b.events.on("connect", resolve))
    await a.bind("tcp://127.0.0.1:*")
    b.connect(a.lastEndpoint)
    assert.strictEqual((await connected).address, a.lastEndpoint)
    a.close()
    b.close()
  },
  async timeout() {
    const pull = new zmq.Pull({receiveTimeout: 20})
    await pull.bind("inproc://nobody")
    await assert.rejects(pull.receive(), {code: "EAGAIN"})
    pull.close()
  },
  async badAddress() {
    const pull = new zmq.Pull()
    await assert.rejects(pull.bind("foo-bar"), {code: "EINVAL"})
    pull.close()
  },
  async stream() {
    const a = new zmq.Stream(), b = new zmq.Stream()
    await a.bind("tcp://127.0.0.1:*")
    b.connect(a.lastEndpoint, {routingId: "peer"})
    const [id, empty] = await a.receive()
    assert.strictEqual(empty.length, 0)
    await a.send([id, "raw"])
    assert.strictEqual(String((await b.receive())[0]), "peer")
    a.close()
    b.close()
  },
  async proxy() {
    const proxy = new zmq.Proxy(new zmq.Router(), new zmq.Dealer())
    await proxy.frontEnd.bind("inproc://front")
    await proxy.backEnd.bind("inproc://back")
    const running = proxy.run()
    const request = new zmq.Request(), reply = new zmq.Reply()
    request.connect("inproc://front")
    reply.connect("inproc://back")
    await request.send("through")
    await reply.send(await reply.receive())
    assert.strictEqual(String((await request.receive())[0]), "through")
    proxy.terminate()
    await running
    request.close()
    reply.close()
  },
}

async function main() {
  for (const [name, check] of Object.entries(checks)) {
    const late = setTimeout(() => {
      console.log(`${name}: fail: takes longer than 10 s`)
      process.exit(1)
    }, 10000)
    try {
      await check()
      console.log(`${name}: pass`)
    } catch (e) {
      console.log(`${name}: fail: ${e.message}`)
      process.exitCode = 1
    }
    clearTimeout(late)
  }
}
main()

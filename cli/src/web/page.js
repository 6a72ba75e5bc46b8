// What `pzmq web` shows. Texts of the process and of its peers are only ever set as text.
'use strict';

const KEPT = 120; // looks that the lines show
const MOST_DOTS = 1000; // peers that are drawn

const byId = id => document.getElementById(id);
let live; // the WebSocket
let now; // the last snapshot
let before;
let looked = null; // the number of the socket whose peers are shown
let chosen = null; // the number of the chosen socket
let paused = false;
const history = new Map(); // by number, and 'all'

function make(name, attributes = {}, text) {
  const svg = ['svg', 'g', 'rect', 'text', 'circle', 'line', 'polyline', 'title'].includes(name);
  const node = svg ? document.createElementNS('http://www.w3.org/2000/svg', name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function short(number) {
  for (const unit of ['', 'k', 'M', 'G']) {
    if (Math.abs(number) < 999.5) return (unit && number < 99.95 ? number.toFixed(1) : number.toFixed(0)) + unit;
    number /= 1000;
  }
  return number.toFixed(0) + 'T';
}

const sum = values => values.reduce((all, one) => all + one, 0);
const drops = dropped => sum(Object.values(dropped || {}));
const fill = (queued, hwm, peers) => (hwm * peers > 0 ? queued / (hwm * peers) : 0);

// What something has done a second since the last look: [messages out, in, bytes out, in].
function rates(one, old, seconds) {
  if (!old || !(seconds > 0)) return [0, 0, 0, 0];
  const rate = (way, what) => Math.max(0, one[way][what] - old[way][what]) / seconds;
  return [rate('sent', 'messages'), rate('received', 'messages'), rate('sent', 'bytes'), rate('received', 'bytes')];
}

function keep(key, values) {
  const kept = history.get(key) || [];
  kept.push(values);
  if (kept.length > KEPT) kept.shift();
  history.set(key, kept);
}

function take(snapshot) {
  const same = now && now.process.id === snapshot.process.id && now.micros < snapshot.micros;
  before = same ? now : undefined;
  now = snapshot;
  const seconds = before ? (now.micros - before.micros) / 1e6 : 0;
  const old = new Map((before ? before.sockets : []).map(one => [one.number, one]));
  const all = [0, 0, 0, 0];
  for (const one of now.sockets) {
    one.rates = rates(one.stats, old.get(one.number) && old.get(one.number).stats, seconds);
    const peers = new Map(old.has(one.number) ? old.get(one.number).stats.peers.map(peer => [peer.number, peer]) : []);
    for (const peer of one.stats.peers) peer.rates = rates(peer, peers.get(peer.number), seconds);
    if (before) keep(one.number, one.rates);
    one.rates.forEach((rate, at) => { all[at] += rate; });
  }
  if (before && looked === null) keep('all', all);
  for (const key of history.keys()) {
    if (looked === null && key !== 'all' && !now.sockets.some(one => one.number === key)) history.delete(key);
  }
  if (!now.sockets.some(one => one.number === chosen)) chosen = now.sockets.length ? now.sockets[0].number : null;
}

function polyline(kept, at, most, kind) {
  const points = kept.map((values, x) => `${(x + KEPT - kept.length) * 10},${99 - 97 * values[at] / most}`);
  return make('polyline', { class: kind, points: points.join(' ') });
}

function chart(place, kept, first) {
  const most = Math.max(1, ...kept.map(values => Math.max(values[first], values[first + 1])));
  const svg = make('svg', { viewBox: `0 0 ${(KEPT - 1) * 10} 100`, preserveAspectRatio: 'none', role: 'img' });
  svg.append(polyline(kept, first, most, 'out'), polyline(kept, first + 1, most, 'in'));
  const last = kept.length ? kept[kept.length - 1] : [0, 0, 0, 0];
  const said = `at most ${short(most)}, now ${short(last[first])} out, ${short(last[first + 1])} in`;
  place.replaceChildren(svg, make('small', {}, said));
}

const nameOf = one => one.socket_type + ' ' + (one.is_ended ? '(lingers)' : one.stats.name || '#' + one.number);

// The sockets, a box each, and their peers: a line that is as thick as is sent, and dots once one is looked into.
function picture() {
  const height = 46;
  const svg = make('svg');
  let bottom = 0;
  now.sockets.forEach((one, row) => {
    const y = row * height + 4;
    const group = make('g', { class: one.number === chosen ? 'chosen' : '', 'data-number': one.number });
    group.append(make('rect', { x: 4, y, width: 210, height: 36, rx: 5 }), make('text', { x: 12, y: y + 15 }, nameOf(one)));
    const endpoints = one.stats.endpoints.map(at => (at.is_gone ? 'gone ' : '') + at.endpoint).join(' ');
    const full = Math.max(fill(one.stats.queued_to_send, one.send_hwm, one.peers), fill(one.stats.queued_to_receive, one.recv_hwm, one.peers));
    group.append(make('rect', { class: full > 0.8 ? 'bar full' : 'bar', x: 12, y: y + 24, width: 194 * Math.min(1, full), height: 6 }));
    group.append(make('title', {}, `${endpoints}\n${Math.round(100 * full)} % of the high-water mark`));
    if (one.peers > 0) {
      const width = 1 + Math.min(8, Math.log10(1 + one.rates[0] + one.rates[1]));
      group.append(make('line', { x1: 214, y1: y + 18, x2: 300, y2: y + 18, 'stroke-width': width }));
      group.append(make('text', { x: 308, y: y + 14 }, `${one.peers} ${one.peers === 1 ? 'peer' : 'peers'}`));
      group.append(make('text', { x: 308, y: y + 30 }, `${short(one.rates[0])}/s out  ${short(one.rates[1])}/s in`));
    }
    svg.append(group);
    bottom = y + height;
  });
  if (looked !== null && now.sockets.length) {
    const one = now.sockets[0];
    one.stats.peers.slice(0, MOST_DOTS).forEach((peer, at) => {
      const full = Math.max(fill(peer.queued_to_send, one.send_hwm, 1), fill(peer.queued_to_receive, one.recv_hwm, 1));
      const kind = !peer.address ? 'away' : full > 0.8 ? 'full' : '';
      const dot = make('circle', { class: kind, cx: 12 + (at % 40) * 13, cy: bottom + 8 + Math.floor(at / 40) * 13, r: 5 });
      dot.append(make('title', {}, `${peer.address || peer.endpoint}  ${short(peer.rates[0])}/s out  ${short(peer.rates[1])}/s in`));
      svg.append(dot);
    });
    bottom += 20 + Math.ceil(Math.min(MOST_DOTS, one.stats.peers.length) / 40) * 13;
  }
  svg.setAttribute('viewBox', `0 0 540 ${Math.max(bottom, 60)}`);
  byId('picture').replaceChildren(svg);
}

const MIDDLE = [
  ['out/s', one => short(one.rates[0])], ['in/s', one => short(one.rates[1])],
  ['out B/s', one => short(one.rates[2])], ['in B/s', one => short(one.rates[3])],
];
const SOCKETS = [
  ['no', one => one.number], ['type', one => one.socket_type, true], ['name', one => one.stats.name || '', true],
  ['peers', one => one.peers], ...MIDDLE,
  ['to send', one => short(one.stats.queued_to_send)], ['to receive', one => short(one.stats.queued_to_receive)],
  ['dropped', one => short(drops(one.stats.dropped))], ['reconnects', one => one.stats.reconnects],
  ['endpoints', one => one.stats.endpoints.map(at => (at.is_gone ? 'gone ' : at.is_bound ? '*' : '') + at.endpoint).join(' '), true],
];
const PEERS = [
  ['no', one => one.number], ['type', one => one.socket_type || '', true],
  ['address', one => one.address || '(away) ' + one.endpoint, true],
  ['id', one => typeof one.routing_id === 'string' ? one.routing_id : '', true], ...MIDDLE,
  ['to send', one => short(one.queued_to_send)], ['to receive', one => short(one.queued_to_receive)],
  ['dropped', one => short(drops(one.dropped))], ['reconnects', one => one.reconnects], ['user', one => one.user_id || '', true],
];

function list() {
  const peers = looked !== null;
  const columns = peers ? PEERS : SOCKETS;
  const rows = peers ? (now.sockets.length ? now.sockets[0].stats.peers : []) : now.sockets;
  const head = make('tr');
  for (const [title, , text] of columns) head.append(make('th', { class: text ? 'text' : '' }, title));
  document.querySelector('thead').replaceChildren(head);
  document.querySelector('tbody').replaceChildren(...rows.slice(0, MOST_DOTS).map(one => {
    const row = make('tr', peers ? {} : { 'data-number': one.number, 'aria-selected': one.number === chosen });
    for (const [, value, text] of columns) row.append(make('td', { class: text ? 'text' : '' }, value(one)));
    return row;
  }));
}

function draw() {
  if (!now) return;
  const { program, id } = now.process;
  byId('process').textContent = `${program || '?'} (${id}), up ${Math.floor(now.micros / 1e6)} s${paused ? ', paused' : ''}`;
  const one = looked !== null ? now.sockets[0] : undefined;
  byId('whose').textContent = looked === null ? `${now.sockets.length} sockets` : one ? nameOf(one) : `socket ${looked} has ended`;
  const kept = history.get(looked === null ? 'all' : looked) || [];
  chart(byId('messages'), kept, 0);
  chart(byId('bytes'), kept, 2);
  picture();
  list();
}

function look(number) {
  looked = number;
  now = undefined;
  paused = false;
  if (live.readyState === WebSocket.OPEN) live.send(looked === null ? 'sockets' : `socket ${looked}`);
}

function choose(below) {
  if (!now || looked !== null) return;
  const numbers = now.sockets.map(one => one.number);
  const at = numbers.indexOf(chosen) + below;
  chosen = numbers[Math.max(0, Math.min(numbers.length - 1, at))];
  draw();
  const row = document.querySelector('tr[aria-selected=true]');
  if (row) row.scrollIntoView({ block: 'nearest' });
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const keys = {
    ArrowUp: () => choose(-1), k: () => choose(-1), ArrowDown: () => choose(1), j: () => choose(1),
    Enter: () => { if (looked === null && chosen !== null) look(chosen); },
    Escape: () => { if (looked !== null) look(null); }, Backspace: () => { if (looked !== null) look(null); },
    p: () => { paused = !paused; draw(); }, ' ': () => { paused = !paused; draw(); },
  };
  if (!keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});

document.addEventListener('click', event => {
  const at = event.target.closest('[data-number]');
  if (!at || looked !== null) return;
  const number = Number(at.getAttribute('data-number'));
  if (number === chosen) return look(number);
  chosen = number;
  draw();
});

function begin() {
  live = new WebSocket(`ws://${location.host}/live`);
  live.onopen = () => { if (looked !== null) live.send(`socket ${looked}`); };
  live.onmessage = ({ data }) => {
    const snapshot = JSON.parse(data);
    byId('trouble').textContent = snapshot.error || '';
    if (snapshot.error || paused) return;
    // An answer to what was asked before.
    if (looked !== null && snapshot.sockets.some(one => one.number !== looked)) return;
    if (looked === null && snapshot.sockets.some(one => one.stats.peers.length)) return;
    take(snapshot);
    draw();
  };
  live.onclose = () => {
    byId('trouble').textContent = 'pzmq web has gone';
    setTimeout(begin, 1000);
  };
}
begin();

/* What all interactive figures share. One function stands around this and around one of them. */

const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0));
const int16 = text => new Int16Array(bytes(text).buffer);
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
const range = n => Array.from({length: n}, (_, i) => i);
const minus = text => String(text).replace('-', '\u2212');
const fixed = (value, n = 2) => minus(value.toFixed(n));
const signed = (value, n = 2) => (value < 0 ? '' : '+') + fixed(value, n);
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const norm = a => Math.sqrt(dot(a, a));
const point = (x, y) => `${x.toFixed(1)} ${y.toFixed(1)}`;
const degrees = value => `${value < 10 ? +value.toPrecision(2) : Math.round(value)}°`;

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// One pixel: weights from -1 to 1, as many as channels. As in the book's figures.
function color(weights, stops) {
  if (weights.length === 3) return weights.map(w => 127.5 * (clamp(w, -1, 1) + 1));
  const at = (clamp(weights[0], -1, 1) + 1) / 2 * (stops.length - 1), i = Math.min(Math.floor(at), stops.length - 2);
  return stops[i].map((value, c) => value + (at - i) * (stops[i + 1][c] - value));
}

// Whether black is read on it more easily than white.
const bright = rgb => dot(rgb.map(v => (v / 255) ** 2.2), [0.2126, 0.7152, 0.0722]) > 0.18;

// `pixel` gives red, green and blue from 0 to 255 of the p-th pixel.
function paint(canvas, width, height, pixel) {
  Object.assign(canvas, {width, height});
  const context = canvas.getContext('2d'), image = context.createImageData(width, height);
  for (let p = 0; p < width * height; p++) image.data.set([...pixel(p), 255], 4 * p);
  context.putImageData(image, 0, 0);
}

function paintFilter(canvas, weights, [channels, side], peak, stops) {
  const area = side * side;
  paint(canvas, side, side, p => color(range(channels).map(c => weights[c * area + p] / peak), stops));
}

// While a pointer is down, unless `down` is false: `move` with its place in shares.
function drag(on, move, down = () => {}) {
  const place = event => {
    const box = on.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  on.onpointerdown = event => {
    if (event.button || down(...place(event)) === false) return;
    on.setPointerCapture(event.pointerId);
    move(...place(event));
  };
  on.onpointermove = event => on.hasPointerCapture(event.pointerId) && move(...place(event));
}

function keys(on, act) {
  on.onkeydown = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (act(event.key, ARROWS[event.key])) event.preventDefault();
  };
}

// Banks as lists of filters, each a list of weights.
function unpack({shape, step, bits, values}) {
  const [banks, filters, ...sides] = shape, d = sides.reduce((a, b) => a * b);
  const stored = bits === 8 ? new Int8Array(bytes(values).buffer) : int16(values);
  const filter = at => Array.from(stored.subarray(at * d, (at + 1) * d), w => w * step);
  return range(banks).map(b => range(filters).map(f => filter(b * filters + f)));
}

// Filters above, those that they are matched with below, turned to the same sign, and |cos|.
function drawPairs(grid, label, above, below, cosines, sides, stops) {
  grid.setAttribute('aria-label', label);
  const peak = Math.max(...[...above, ...below].flat().map(Math.abs)) || 1;
  grid.replaceChildren(...above.map((weights, i) => {
    const cell = element('div'), turn = below.length && dot(weights, below[i]) < 0 ? -1 : 1;
    for (const shown of below.length ? [weights, below[i].map(w => turn * w)] : [weights]) {
      const canvas = element('canvas');
      paintFilter(canvas, shown, sides, peak, stops);
      cell.append(canvas);
    }
    if (below.length) cell.append(element('span', {textContent: cosines[i].toFixed(2)}));
    return cell;
  }));
}

const line = (d, name = '') => `<path class="${name}" d="${d}"/>`;
const word = (x, y, text, anchor = 'middle', name = '') =>
  `<text class="${name}" x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}">${text}</text>`;
const arrow = (x, y, dx, dy, name) => {
  const length = Math.hypot(dx, dy) || 1, head = Math.min(8, length / 2), u = dx / length, v = dy / length;
  const [tx, ty] = [x + dx, y + dy], side = s => point(tx - head * (u + s * v / 2), ty - head * (v - s * u / 2));
  return line(`M${point(x, y)}L${point(tx, ty)}M${side(1)}L${point(tx, ty)}L${side(-1)}`, name);
};
// From the horizontal, counter-clockwise.
const arc = (x, y, radius, angle) => {
  const end = angle * Math.PI / 180, tip = point(x + radius * Math.cos(end), y - radius * Math.sin(end));
  return line(`M${x + radius} ${y}A${radius} ${radius} 0 0 0 ${tip}`, 'arc');
};

// Starts each figure of this kind that has not been started: a page may hold several, and a
// notebook may put one in after loading. `start` gets the figure, its data, and how to find a part.
function begin(kind, start) {
  for (const root of document.querySelectorAll(`.book-widget.${kind}:not([data-started])`)) {
    const find = selector => root.querySelector(selector);
    root.dataset.started = '';
    start(root, JSON.parse(find('script[type="application/json"]').textContent), find);
    find('.app').hidden = false;
  }
}

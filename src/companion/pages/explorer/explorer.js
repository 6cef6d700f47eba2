/* The filter explorer. */

const WIDTH = 360, HEIGHT = 276, LEFT = 68, RIGHT = 10, TOP = 26, BOTTOM = 38, STEP_MS = 500;
const FLOOR = 1e-4;  // a logarithmic axis starts here at the lowest

// Two digits: 0.031, 3.1e−4.
const digits = value =>
  value === 0 ? '0' : minus(value < 0.001 ? value.toExponential(1) : value.toPrecision(2));

function median(values) {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// The 1, 2 or 5 times a power of ten that is at least `value`.
function nice(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 5, 10].find(m => m * power >= value * (1 - 1e-9));
}

// Distances, null and the ends of its band, each a list over the epochs.
function curves(bank) {
  const stored = new Uint16Array(bytes(bank.curves).buffer), n = bank.shape[0], width = n + 3;
  const column = i => range(stored.length / width).map(e => 2 * (stored[e * width + i] / 65535) ** 2);
  const filters = range(n).map(column);
  const middle = filters[0].map((_, e) => median(filters.map(curve => curve[e])));
  return {filters, median: middle, null: column(n), low: column(n + 1), high: column(n + 2), last: middle.length - 1};
}

begin('filter-explorer', (root, {banks, colors}, find) => {
  for (const bank of banks) bank.curves = curves(bank);
  const menus = [...root.querySelectorAll('select')];
  const slider = find('[type=range]'), log = find('[type=checkbox]'), play = find('.play');
  const grid = find('.bank'), plot = find('.plot'), summary = find('.summary');
  let bank, weights, place, timer = null;  // place: from epoch and distance to the plot's units
  let held = -1;  // the filter that a click, a tap or the keyboard chose; -1: none

  // The menus narrow the banks one after the other; a choice stays where it is still to be had.
  function choose() {
    const epoch = bank ? bank.epochs[slider.value] : Infinity;  // what training came to, first
    let left = banks;
    for (const menu of menus) {
      const labels = [...new Set(left.map(b => b[menu.dataset.key]))], kept = menu.value;
      menu.replaceChildren(...labels.map(label => new Option(label, label)));
      if (labels.includes(kept)) menu.value = kept;
      left = left.filter(b => b[menu.dataset.key] === menu.value);
    }
    bank = left[0];
    weights = new Int8Array(bytes(bank.filters).buffer);
    held = -1;
    root.style.setProperty('--method', bank.color);
    slider.max = bank.epochs.length - 1;
    slider.value = bank.epochs.findLastIndex(e => e <= epoch);
    layGrid();
    drawPlot();
    drawEpoch();
  }

  function layGrid() {
    const [n, channels] = bank.shape;
    grid.style.gridTemplateColumns = `repeat(${n > 12 ? 7 : 3}, minmax(0, 4.5rem))`;
    grid.replaceChildren(...range(n).map(i => {
      const cell = element('button', {type: 'button'}, element('canvas'), element('span'));
      cell.setAttribute('aria-pressed', false);
      cell.tabIndex = i ? -1 : 0;  // one stop for the tab key; arrows go on from there
      cell.onpointerenter = cell.onfocus = () => mark(i);
      cell.onpointerleave = cell.onblur = () => mark(held);
      cell.onclick = () => hold(i);
      return cell;
    }));
    const zero = channels === 3 ? 'mid-grey' : 'white', scale = bank.scale.toPrecision(2);
    find('.scale').textContent =
      `Below each filter its cosine distance from the start. Each filter at norm 1, colours from \u2212${scale} to +${scale}, ${zero} = 0. ` +
      'Choose a filter to find its line, or a line to find its filter.';
  }

  // A filter and its line belong together.
  function mark(i) {
    for (const parts of [grid.children, plot.querySelectorAll('.one')]) {
      [...parts].forEach((part, at) => part.classList.toggle('chosen', at === i));
    }
  }

  function hold(i) {
    held = held === i ? -1 : i;
    [...grid.children].forEach((cell, at) => cell.setAttribute('aria-pressed', at === held));
    mark(held);
  }

  // The filter whose line is nearest to a place in the plot; where none is near, the one held.
  function lineAt(event) {
    const {left, top, width} = plot.getBoundingClientRect(), unit = WIDTH / width, c = bank.curves;
    const x = (event.clientX - left) * unit, y = (event.clientY - top) * unit, end = WIDTH - RIGHT;
    const epoch = Math.round((x - LEFT) / (end - LEFT) * c.last);
    if (epoch < 0 || epoch > c.last) return held;
    const away = c.filters.map(curve => Math.abs(place(epoch, curve[epoch])[1] - y));
    const least = Math.min(...away);
    return least < 12 ? away.indexOf(least) : held;
  }

  // One axis for all banks of a data set, so that methods and norms can be compared.
  function axis() {
    const shown = banks.filter(b => b.dataset === bank.dataset).flatMap(b => {
      const c = b.curves;
      return [...c.filters, c.null, c.low, c.high].flatMap(curve => curve.slice(1));
    });
    const max = shown.reduce((a, b) => Math.max(a, b), FLOOR * 10);
    const min = shown.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), max);
    if (!log.checked) {
      const step = nice(max / 5), n = Math.ceil(max / step - 1e-9);
      const labels = range(n + 1).map(i => [i * step, String(+(i * step).toPrecision(3))]);
      return {share: d => d / (n * step), labels, minor: []};
    }
    const low = Math.max(FLOOR, 10 ** Math.floor(Math.log10(min))), high = Math.max(nice(max), 10 * low);
    const labels = [], minor = [];
    for (let power = low; power <= high * 1.001; power *= 10) {
      labels.push([power, String(+power.toPrecision(1))]);
      for (let m = 2; m < 10; m++) if (m * power <= high * 1.001) minor.push(m * power);
    }
    if (shown.some(d => d < low)) labels[0][1] = '\u2264 ' + labels[0][1];
    return {share: d => Math.log(Math.max(d, low) / low) / Math.log(high / low), labels, minor};
  }

  function drawPlot() {
    const c = bank.curves, {share, labels, minor} = axis(), floor = HEIGHT - BOTTOM, end = WIDTH - RIGHT;
    const x = e => LEFT + e / c.last * (end - LEFT), y = d => floor - share(d) * (floor - TOP);
    const first = log.checked ? 1 : 0;  // the start, 0, is on no logarithmic axis
    const points = curve => curve.map((d, e) => point(x(e), y(d))).slice(first);
    const key = (name, left, text) => line(`M${left} 9h22`, name) + word(left + 27, 13, text, 'start');
    const across = Math.max(1, nice(c.last / 6));
    place = (e, d) => [x(e), y(d)];
    const parts = [line(`M${LEFT} ${TOP}V${floor}H${end}`), word((LEFT + end) / 2, HEIGHT - 4, 'epoch')];
    for (let e = 0; e <= c.last; e += across) {
      parts.push(line(`M${x(e)} ${floor}v5`), word(x(e), floor + 16, e));
    }
    for (const [d, label] of labels) {
      parts.push(line(`M${LEFT} ${y(d)}H${end}`, 'grid'), line(`M${LEFT} ${y(d)}h-5`));
      parts.push(word(LEFT - 8, y(d) + 4, label, 'end'));
    }
    for (const d of minor) parts.push(line(`M${LEFT} ${y(d)}h-3`));
    const title = word(0, 0, 'cosine distance from the start');
    parts.push(`<g transform="translate(11 ${(TOP + floor) / 2}) rotate(-90)">${title}</g>`);
    parts.push(line(`M${[...points(c.low), ...points(c.high).reverse()].join('L')}Z`, 'band'));
    parts.push(...c.filters.map(curve => line('M' + points(curve).join('L'), 'one')));
    for (const name of ['median', 'null']) parts.push(line('M' + points(c[name]).join('L'), name));
    parts.push(line('', 'now'), '<circle r="4.5"/>', line(`M${LEFT + 168} 3h22v12h-22z`, 'band'));
    parts.push(key('key', LEFT, 'one filter'), key('median', LEFT + 92, 'median'));
    parts.push(key('null', LEFT + 168, 'isotropic walk'));
    plot.innerHTML = parts.join('');  // numbers and fixed words: no label of a bank comes in
    mark(held);
    plot.setAttribute('aria-label', `Cosine distance from the start, epochs 0 to ${c.last}: filters, their median ` +
      `(at the end ${digits(c.median[c.last])}), an isotropic walk (${digits(c.null[c.last])}) and its band.`);
  }

  function drawEpoch() {
    const step = +slider.value, epoch = bank.epochs[step], c = bank.curves, [n, channels, side] = bank.shape;
    const peak = 127 * bank.scale, size = channels * side * side;
    for (let i = 0; i < n; i++) {
      const [canvas, label] = grid.children[i].children, from = (step * n + i) * size;
      paintFilter(canvas, weights.subarray(from, from + size), [channels, side], peak, colors);
      label.textContent = digits(c.filters[i][epoch]);
      grid.children[i].setAttribute('aria-label', `filter ${i + 1}, distance ${label.textContent}`);
    }
    const [left, down] = place(epoch, c.median[epoch]);
    plot.querySelector('.now').setAttribute('d', `M${left.toFixed(1)} ${TOP}V${HEIGHT - BOTTOM}`);
    plot.querySelector('circle').setAttribute('transform', `translate(${point(left, down)})`);
    const when = `epoch ${epoch} of ${c.last}`;
    find('output').textContent = when;
    slider.setAttribute('aria-valuetext', when);
    const moved = c.filters.map(curve => curve[epoch]);
    grid.setAttribute('aria-label', `${n} filters at ${when}: ${bank.dataset}, ${bank.method}, norm ${bank.norm}. ` +
      `Distances from ${digits(Math.min(...moved))} to ${digits(Math.max(...moved))}.`);
    summary.textContent = `At ${when}: median distance ${digits(c.median[epoch])}; an isotropic walk would give ` +
      `${digits(c.null[epoch])} (95 % of filters: ${digits(c.low[epoch])} to ${digits(c.high[epoch])}).`;
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = '\u25B6 play';
    summary.setAttribute('aria-live', 'polite');
  }

  function toggle() {
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    play.textContent = '\u275A\u275A pause';
    summary.setAttribute('aria-live', 'off');  // no announcement twice a second
    drawEpoch();
    timer = setInterval(() => {
      slider.value = +slider.value + 1;
      if (slider.value === slider.max || !root.isConnected) stop();
      drawEpoch();
    }, STEP_MS);
  }

  for (const menu of menus) menu.onchange = choose;
  grid.onkeydown = event => {
    const at = [...grid.children].indexOf(event.target);
    const to = at + ({ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key] ?? 0);
    if (at < 0 || to === at || !grid.children[to]) return;
    event.preventDefault();
    grid.children[at].tabIndex = -1;
    grid.children[to].tabIndex = 0;
    grid.children[to].focus();
  };
  plot.onpointermove = event => mark(lineAt(event));
  plot.onpointerleave = () => mark(held);
  plot.onclick = event => hold(lineAt(event));
  log.onchange = () => { drawPlot(); drawEpoch(); };
  slider.oninput = () => { stop(); drawEpoch(); };
  play.onclick = toggle;
  stop();
  choose();
});

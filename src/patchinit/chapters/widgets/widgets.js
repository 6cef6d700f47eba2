/* Things to drag. Starts every widget on the page that has not been started: a page may hold
   several, and a notebook may put one in after loading. */
(() => {
  'use strict';

  const CLUSTERS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#8a6a00', '#7a3e9d'];
  const LONGEST = 512;  // pixels along a photograph's longer side: some 260,000 patches
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
  const degrees = value => `${value < 10 ? +value.toPrecision(2) : Math.round(value)}°`;

  function element(name, properties, ...children) {
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

  // While a pointer is down on the element: `move` with its place as shares of width and height.
  function drag(on, move, down = () => {}) {
    const place = event => {
      const box = on.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    };
    on.onpointerdown = event => {
      if (event.button) return;
      on.setPointerCapture(event.pointerId);
      down(...place(event));
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
  function unpack({shape, step, values}) {
    const [banks, filters, ...sides] = shape, d = sides.reduce((a, b) => a * b), stored = int16(values);
    const filter = at => Array.from(stored.subarray(at * d, (at + 1) * d), w => w * step);
    return range(banks).map(b => range(filters).map(f => filter(b * filters + f)));
  }

  // Filters above, those that they are matched with below, turned to the same sign, and |cos|.
  function drawPairs(grid, above, below, cosines, sides, stops) {
    const peak = Math.max(...[...above, ...below].flat().map(Math.abs)) || 1;
    grid.replaceChildren(...above.map((weights, i) => {
      const cell = element('div', {}), turn = below.length && dot(weights, below[i]) < 0 ? -1 : 1;
      for (const shown of below.length ? [weights, below[i].map(w => turn * w)] : [weights]) {
        const canvas = element('canvas', {});
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
    const [tx, ty] = [x + dx, y + dy], side = s => `${(tx - head * (u + s * v / 2)).toFixed(1)} ${(ty - head * (v - s * u / 2)).toFixed(1)}`;
    return line(`M${x.toFixed(1)} ${y.toFixed(1)}L${tx.toFixed(1)} ${ty.toFixed(1)}M${side(1)}L${tx.toFixed(1)} ${ty.toFixed(1)}L${side(-1)}`, name);
  };
  // From the horizontal, counter-clockwise.
  const arc = (x, y, radius, angle) => {
    const end = angle * Math.PI / 180;
    return line(`M${x + radius} ${y}A${radius} ${radius} 0 0 0 ${(x + radius * Math.cos(end)).toFixed(1)} ${(y - radius * Math.sin(end)).toFixed(1)}`, 'arc');
  };

  const widgets = {};

  // --- Chapter 1: a window over an image ---------------------------------------------------------

  widgets.window = (root, {shape: [channels, height, width], image, side, filters, start, colors}) => {
    const find = selector => root.querySelector(selector);
    const levels = bytes(image), menu = find('select'), [picture, map] = root.querySelectorAll('.pad');
    const rows = height - side + 1, columns = width - side + 1, area = side * side;
    const names = channels === 3 ? ['red', 'green', 'blue'] : ['grey'];
    const parts = ['patch', 'filter', 'product'];
    const value = (c, row, column) => levels[(c * height + row) * width + column] / 255;
    let [row, column] = start, weights;

    const patchAt = (r, s) => range(channels * area).map(i =>
      value(Math.floor(i / area), r + Math.floor(i % area / side), s + i % side));

    function drawMap() {
      weights = filters[menu.selectedIndex].weights;
      const all = range(rows * columns).map(p => dot(weights, patchAt(Math.floor(p / columns), p % columns)));
      const peak = all.reduce((most, r) => Math.max(most, Math.abs(r)), 0) || 1;
      paint(map.firstChild, columns, rows, p => color([all[p] / peak], colors));
      draw();
    }

    // A table for each channel and part: its name, then rows of numbers.
    function draw() {
      const patch = patchAt(row, column), product = patch.map((p, i) => p * weights[i]);
      const peak = Math.max(1, ...weights.map(Math.abs));
      const cells = ['', ...parts].map(name => element('b', {textContent: name}));
      names.forEach((name, c) => {
        cells.push(element('b', {textContent: name}));
        [patch, weights, product].forEach((values, i) => {
          const mine = values.slice(c * area, (c + 1) * area);
          const table = element('div', {className: 'table'});
          table.setAttribute('role', 'img');
          table.setAttribute('aria-label', `${parts[i]}, ${name}: ${mine.map(v => fixed(v)).join(', ')}`);
          table.style.gridTemplateColumns = `repeat(${side}, 1fr)`;
          table.append(...mine.map(v => {
            const rgb = color([v / peak / 1.6], colors), cell = element('span', {textContent: fixed(v)});
            cell.style.cssText = `background: rgb(${rgb.map(Math.round)}); color: ${bright(rgb) ? '#000' : '#fff'}`;
            return cell;
          }));
          cells.push(table);
        });
      });
      find('.numbers').replaceChildren(...cells);
      frame(picture, column, row, side, width, height);
      frame(map, column, row, 1, columns, rows);
      const response = dot(weights, patch), lengths = [norm(weights), norm(patch)];
      const cosine = lengths[0] * lengths[1] ? response / (lengths[0] * lengths[1]) : 0;
      find('.summary').textContent = `Row ${row}, column ${column}: response ${signed(response)} = length of the filter ` +
        `${fixed(lengths[0])} \u00d7 length of the patch ${fixed(lengths[1])} \u00d7 cosine ${signed(cosine)}.`;
    }

    function frame(pad, left, top, size, w, h) {
      const share = (value, of) => `${100 * value / of}%`;
      Object.assign(pad.querySelector('.frame').style,
        {left: share(left, w), top: share(top, h), width: share(size, w), height: share(size, h)});
    }

    function go(s, r) {
      [column, row] = [clamp(s, 0, columns - 1), clamp(r, 0, rows - 1)];
      draw();
    }

    menu.replaceChildren(...filters.map(({name}) => new Option(name, name)));
    paint(picture.firstChild, width, height, p => range(3).map(c => levels[(channels === 3 ? c : 0) * width * height + p]));
    drag(picture, (x, y) => go(Math.floor(x * width - (side - 1) / 2), Math.floor(y * height - (side - 1) / 2)));
    drag(map, (x, y) => go(Math.floor(x * columns), Math.floor(y * rows)));
    keys(picture, (key, by) => by && (go(column + by[0], row + by[1]), true));
    menu.onchange = drawMap;
    drawMap();
  };

  // --- Chapter 3: images in the sample -----------------------------------------------------------

  widgets.sample = (root, {sizes, leading, angles, order, agreement, bank, colors}) => {
    const find = selector => root.querySelector(selector);
    const slider = find('[type=range]'), [reference, ...banks] = unpack(bank), draws = order[0].length;
    let shown = 0;

    function draw() {
      const i = +slider.value, size = sizes[i], angle = angles[i][shown], cosines = agreement[i][shown];
      const images = `${size} image${size === 1 ? '' : 's'}`;
      drawPairs(find('.pairs'), banks[i * draws + shown], order[i][shown].map(at => reference[at]), cosines,
        bank.shape.slice(2), colors);
      const sorted = [...cosines].sort((a, b) => a - b);
      find('.pairs').setAttribute('aria-label', `${cosines.length} components of ${images}, each above its match: ` +
        `cosines from ${sorted[0].toFixed(2)} to ${sorted.at(-1).toFixed(2)}.`);
      const end = angle * Math.PI / 180;
      find('.dial').innerHTML = arc(10, 100, 45, angle) + arrow(10, 100, 90, 0, 'first') +
        arrow(10, 100, 90 * Math.cos(end), -90 * Math.sin(end), 'second') + word(60, 116, degrees(angle));
      find('.dial').setAttribute('aria-label', `An angle of ${degrees(angle)}`);
      find('output').textContent = images;
      slider.setAttribute('aria-valuetext', images);
      find('.summary').textContent = `${images}, sample ${shown + 1} of ${draws}: the spaces of the ${leading} leading ` +
        `components differ by at most ${degrees(angle)}; the median |cos| is ${sorted[sorted.length >> 1].toFixed(2)}.`;
    }

    slider.max = sizes.length - 1;
    slider.value = 0;
    slider.oninput = draw;
    find('.again').onclick = () => { shown = (shown + 1) % draws; draw(); };
    find('.again').hidden = draws === 1;
    draw();
  };

  // --- Chapter 4: Lloyd's steps ------------------------------------------------------------------

  // Nearest centre of each point, the mean of each centre's points, and the inertia per point.
  function assign(points, centres) {
    const sums = centres.map(() => [0, 0, 0]);
    let inertia = 0;
    const nearest = points.map(([x, y]) => {
      let best = 0, least = Infinity;
      centres.forEach(([a, b], j) => {
        const distance = (x - a) ** 2 + (y - b) ** 2;
        if (distance < least) [best, least] = [j, distance];
      });
      inertia += least;
      [x, y, 1].forEach((value, i) => { sums[best][i] += value; });
      return best;
    });
    // A centre without points stays where it is.
    const means = sums.map(([x, y, n], j) => (n ? [x / n, y / n] : centres[j]));
    return {centres, nearest, means, inertia: inertia / points.length};
  }

  // Numbers from 0 to 1 that are the same for every reader (mulberry32).
  function generator(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
    };
  }

  widgets.lloyd = (root, {points: stored, step, start, most}) => {
    const find = selector => root.querySelector(selector);
    const flat = int16(stored), points = range(flat.length / 2).map(i => [flat[2 * i] * step, flat[2 * i + 1] * step]);
    const limit = 1.05 * step * flat.reduce((top, v) => Math.max(top, Math.abs(v)), 0), random = generator(1);
    const plane = find('.plane'), menu = find('select'), context = plane.firstChild.getContext('2d');
    let history, held = 0;

    const rests = ({centres, means}) => centres.every((c, j) => Math.hypot(c[0] - means[j][0], c[1] - means[j][1]) < 1e-9);
    const from = centres => { history = [assign(points, centres)]; draw(); };
    const forward = () => { const now = history.at(-1); if (!rests(now)) history.push(assign(points, now.means)); };

    function another() {
      const left = [...points];
      from(range(+menu.value).map(() => left.splice(Math.floor(random() * left.length), 1)[0]));
    }

    function draw() {
      const {centres, nearest, inertia} = history.at(-1), now = history.length - 1, done = rests(history.at(-1));
      const place = (value, size) => (value / limit + 1) / 2 * size;
      context.clearRect(0, 0, 640, 640);
      points.forEach(([x, y], p) => {
        context.fillStyle = CLUSTERS[nearest[p]];
        context.fillRect(place(x, 640) - 1.5, place(-y, 640) - 1.5, 3, 3);
      });
      const at = ([x, y]) => `${place(x, 320).toFixed(1)} ${place(-y, 320).toFixed(1)}`;
      find('svg').innerHTML = centres.map((c, j) => {
        const trail = line('M' + history.map(h => at(h.centres[j])).join('L'), 'trail'), [x, y] = at(c).split(' ');
        return trail + `<circle class="${j === held ? 'held' : ''}" cx="${x}" cy="${y}" r="9" fill="${CLUSTERS[j]}"/>` +
          `<text x="${x}" y="${+y + 4}" text-anchor="middle" fill="${j && j < 6 ? '#000' : '#fff'}">${j + 1}</text>`;
      }).join('');
      find('.back').disabled = !now;
      find('.step').disabled = find('.rest').disabled = done;
      find('.summary').textContent = `After ${now} step${now === 1 ? '' : 's'}: inertia per point ${inertia.toFixed(3)}` +
        (now ? ` (before ${history.at(-2).inertia.toFixed(3)})` : '') + (done ? '. The centres rest.' : '.');
    }

    // A centre that is moved by hand is a new start.
    function put(x, y) {
      from(history.at(-1).centres.map((c, j) => (j === held ? [clamp(x, -limit, limit), clamp(y, -limit, limit)] : c)));
    }

    const there = (x, y) => [(2 * x - 1) * limit, (1 - 2 * y) * limit];
    drag(plane, (x, y) => put(...there(x, y)), (x, y) => {
      const [a, b] = there(x, y), gaps = history.at(-1).centres.map(c => Math.hypot(c[0] - a, c[1] - b));
      held = gaps.indexOf(Math.min(...gaps));
    });
    keys(plane, (key, by) => {
      const {centres} = history.at(-1);
      if (+key >= 1 && +key <= centres.length) { held = key - 1; draw(); return true; }
      if (!by) return false;
      put(centres[held][0] + by[0] * limit / 25, centres[held][1] - by[1] * limit / 25);
      return true;
    });
    menu.replaceChildren(...range(most - 1).map(i => new Option(i + 2, i + 2)));
    menu.value = start.length;
    menu.onchange = () => { held = 0; another(); };
    find('.again').onclick = another;
    find('.step').onclick = () => { forward(); draw(); };
    find('.rest').onclick = () => { for (let i = 0; i < 500; i++) forward(); draw(); };
    find('.back').onclick = () => { history.pop(); draw(); };
    from(start);
  };

  // --- Chapter 10: norm and angle ----------------------------------------------------------------

  widgets.turn = (root, {low, high, step, marks}) => {
    const find = selector => root.querySelector(selector);
    const slider = find('[type=range]'), turns = find('.turns'), chart = find('.chart');
    const kinds = [['SGD', 2, 'first'], ['Adam', 1, 'second']];
    const angle = (power, at) => Math.atan(step / at ** power) * 180 / Math.PI;
    const LEFT = 46, RIGHT = 348, TOP = 12, FLOOR = 196, UNIT = 78;
    const most = 90, least = 0.8 * angle(2, high);
    const across = at => LEFT + Math.log(at / low) / Math.log(high / low) * (RIGHT - LEFT);
    const up = a => FLOOR - Math.log(a / least) / Math.log(most / least) * (FLOOR - TOP);
    const value = () => low * (high / low) ** (slider.value / slider.max);
    const set = at => { slider.value = Math.round(slider.max * Math.log(clamp(at, low, high) / low) / Math.log(high / low)); draw(); };

    function draw() {
      const at = value(), found = kinds.map(([, power]) => angle(power, at));
      turns.innerHTML = kinds.map(([name, power, role], i) => {
        const y = 96 + 64 * i, length = UNIT * at, side = UNIT * step / at ** (power - 1);
        return word(18, y + 15, `${name}: ${degrees(found[i])}`, 'start', role) +
          line(`M18 ${y}L${(18 + length).toFixed(1)} ${(y - side).toFixed(1)}`, 'after') +
          arc(18, y, Math.min(30, 0.8 * length), found[i]) +
          arrow(18, y, length, 0, '') + arrow(18 + length, y, 0, -side, role);
      }).join('');
      turns.setAttribute('aria-label', `A filter of norm ${at.toFixed(2)} and a step at its tip, for SGD and for Adam.`);
      const parts = [line(`M${LEFT} ${TOP}V${FLOOR}H${RIGHT}`), word((LEFT + RIGHT) / 2, 232, 'norm of the filter')];
      for (const tick of [0.25, 0.5, 1, 2, 4]) {
        if (tick >= low && tick <= high) parts.push(line(`M${across(tick)} ${FLOOR}v5`), word(across(tick), FLOOR + 18, tick));
      }
      for (const tick of [1, 3, 10, 30, 90]) {
        if (tick > least) parts.push(line(`M${LEFT} ${up(tick)}H${RIGHT}`, 'grid'), word(LEFT - 6, up(tick) + 4, tick + '°', 'end'));
      }
      kinds.forEach(([name, power, role], i) => {
        const points = range(49).map(j => low * (high / low) ** (j / 48)).map(n => `${across(n).toFixed(1)} ${up(angle(power, n)).toFixed(1)}`);
        parts.push(line('M' + points.join('L'), role));
        parts.push(word(across(2.2) + (i ? 6 : -6), up(angle(power, 2.2)) + (i ? -6 : 10), name, i ? 'start' : 'end', role));
        parts.push(`<circle class="${role}" cx="${across(at).toFixed(1)}" cy="${up(found[i]).toFixed(1)}" r="5"/>`);
      });
      chart.innerHTML = parts.join('');
      chart.setAttribute('aria-label', `Angle by norm, both axes logarithmic: SGD's line falls twice as steeply as Adam's.`);
      const said = `norm ${at.toFixed(2)}`, twice = kinds.map(([, power]) => degrees(angle(power, 2 * at)));
      find('output').textContent = said;
      slider.setAttribute('aria-valuetext', said);
      find('.summary').textContent = `At ${said} one step turns the filter by ${degrees(found[0])} under SGD and by ` +
        `${degrees(found[1])} under Adam; at twice the norm by ${twice[0]} and ${twice[1]}.`;
    }

    find('.buttons').append(...marks.map(([name, at]) => element('button', {type: 'button', textContent: name, onclick: () => set(at)})));
    drag(turns, x => set((360 * x - 18) / UNIT));
    drag(chart, x => set(low * (high / low) ** clamp((360 * x - LEFT) / (RIGHT - LEFT), 0, 1)));
    slider.oninput = draw;
    set(1);
  };

  // --- A photograph of one's own -----------------------------------------------------------------

  // Covariance of all standardised 3x3 patches of an image (RGBA bytes), its mean removed; as
  // `moments_of` with standardize=True.
  function moments(pixels, width, height) {
    const d = 27, patch = new Float64Array(d), total = new Float64Array(d), products = new Float64Array(d * d);
    const levels = Float64Array.from({length: 256}, (_, level) => Math.fround(level / 255));
    let count = 0, constant = 0;
    for (let row = 0; row + 3 <= height; row++) {
      for (let column = 0; column + 3 <= width; column++) {
        let i = 0, sum = 0, power = 0, spread = 0;
        for (let c = 0; c < 3; c++) for (let y = row; y < row + 3; y++) for (let x = column; x < column + 3; x++) {
          const value = levels[pixels[4 * (y * width + x) + c]];
          patch[i++] = value;
          sum += value;
        }
        for (i = 0; i < d; i++) {
          power += patch[i] ** 2;
          patch[i] -= sum / d;
          spread += patch[i] ** 2;
        }
        count += 1;
        if (spread <= 1e-10 * power) { constant += 1; continue; }
        const scale = 1 / Math.sqrt(spread / d);
        for (i = 0; i < d; i++) {
          patch[i] *= scale;
          total[i] += patch[i];
          for (let j = 0; j <= i; j++) products[i * d + j] += patch[i] * patch[j];
        }
      }
    }
    const used = count - constant;
    const at = (i, j) => products[Math.max(i, j) * d + Math.min(i, j)] / used - total[i] * total[j] / used ** 2;
    return {used, constant, covariance: range(d).map(i => range(d).map(j => at(i, j)))};
  }

  // Eigenvalues, largest first, and eigenvectors of a symmetric matrix: Jacobi's rotations.
  function eigen(matrix) {
    const n = matrix.length, a = matrix.map(row => [...row]), v = range(n).map(i => range(n).map(j => +(i === j)));
    const size = norm(a.flat()) || 1;
    for (let sweep = 0; sweep < 60; sweep++) {
      let off = 0;
      for (let p = 0; p < n; p++) for (let q = 0; q < p; q++) off = Math.max(off, Math.abs(a[p][q]));
      if (off < 1e-15 * size) break;
      for (let p = 1; p < n; p++) for (let q = 0; q < p; q++) {
        if (!a[p][q]) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1)), c = 1 / Math.hypot(t, 1), s = t * c;
        const turn = (x, y) => [c * x - s * y, s * x + c * y];
        for (let k = 0; k < n; k++) [a[k][p], a[k][q]] = turn(a[k][p], a[k][q]);
        for (let k = 0; k < n; k++) [a[p][k], a[q][k]] = turn(a[p][k], a[q][k]);
        for (let k = 0; k < n; k++) [v[k][p], v[k][q]] = turn(v[k][p], v[k][q]);
      }
    }
    const order = range(n).sort((i, j) => a[j][j] - a[i][i]);
    return {values: order.map(i => Math.max(0, a[i][i])), vectors: order.map(i => v.map(row => row[i]))};
  }

  // As `principal_components`: each value divided by its standard deviation, signs fixed, and only
  // directions along which the patches vary, with brightness as the last of all 27.
  function components({covariance, used}) {
    const d = covariance.length, scale = covariance.map((row, i) => (row[i] > 0 ? Math.sqrt(row[i]) : 1));
    const {values, vectors} = eigen(covariance.map((row, i) => row.map((c, j) => c / (scale[i] * scale[j]))));
    const least = (1e-11 + used * Number.EPSILON) * values[0], rank = values.filter(value => value > least).length;
    const filters = vectors.slice(0, rank === d - 1 ? d : rank).map(vector => {
      const most = Math.max(...vector.map(Math.abs)), decides = vector.find(w => Math.abs(w) >= 0.999 * most);
      return decides < 0 ? vector.map(w => -w) : vector;
    });
    return {filters, shares: values.map(value => value / values.reduce((a, b) => a + b)), rank};
  }

  // Kuhn's assignment: for each row another column, with the largest sum; no more rows than columns.
  function assignment(gains) {
    const n = gains.length, m = gains[0].length, u = Array(n + 1).fill(0), v = Array(m + 1).fill(0), row = Array(m + 1).fill(0);
    for (let i = 1; i <= n; i++) {
      const least = Array(m + 1).fill(Infinity), way = Array(m + 1).fill(0), seen = Array(m + 1).fill(false);
      let at = 0;
      row[0] = i;
      do {
        let delta = Infinity, next = 0;
        seen[at] = true;
        for (let j = 1; j <= m; j++) {
          if (seen[j]) continue;
          const cost = -gains[row[at] - 1][j - 1] - u[row[at]] - v[j];
          if (cost < least[j]) [least[j], way[j]] = [cost, at];
          if (least[j] < delta) [delta, next] = [least[j], j];
        }
        for (let j = 0; j <= m; j++) {
          if (seen[j]) { u[row[j]] += delta; v[j] -= delta; } else least[j] -= delta;
        }
        at = next;
      } while (row[at]);
      while (at) { row[at] = row[way[at]]; at = way[at]; }
    }
    const found = Array(n);
    for (let j = 1; j <= m; j++) if (row[j]) found[row[j] - 1] = j - 1;
    return found;
  }

  // Largest angle between the spaces of two orthonormal sets, in degrees.
  function largestAngle(a, b) {
    const across = a.map(x => b.map(y => dot(x, y)));
    const {values} = eigen(across.map(x => across.map(y => dot(x, y))));
    return Math.acos(Math.sqrt(clamp(values.at(-1), 0, 1))) * 180 / Math.PI;
  }

  widgets.own = (root, {bank, leading, name, colors}) => {
    const find = selector => root.querySelector(selector);
    const file = find('[type=file]'), say = text => { find('.summary').textContent = text; };
    const pairs = find('.pairs'), photo = find('.photo'), table = find('[download]');
    // What was rounded is made orthonormal again: an angle near 0 asks for it.
    const reference = (bank ? unpack(bank)[0] : []).reduce((done, filter) => {
      const left = done.reduce((f, other) => { const along = dot(f, other); return f.map((w, i) => w - along * other[i]); }, filter);
      return [...done, left.map(w => w / norm(left))];
    }, []);
    let latest = 0;

    function clear() {
      photo.hidden = table.hidden = true;
      pairs.replaceChildren();
      find('.below').textContent = '';
    }

    async function read(chosen) {
      const turn = ++latest;
      clear();
      say('Reading \u2026');
      let image;
      try {
        image = await createImageBitmap(chosen);
      } catch {
        if (turn === latest) say(`${chosen.name} is not an image that this browser can read. Try a JPEG or PNG file.`);
        return;
      }
      await new Promise(resume => setTimeout(resume));  // so that the words are seen
      if (turn !== latest) return;
      const shrink = Math.min(1, LONGEST / Math.max(image.width, image.height));
      photo.width = Math.max(1, Math.round(image.width * shrink));
      photo.height = Math.max(1, Math.round(image.height * shrink));
      const context = photo.getContext('2d', {willReadFrequently: true});
      context.imageSmoothingQuality = 'high';
      context.fillStyle = '#fff';  // behind what is transparent
      context.fillRect(0, 0, photo.width, photo.height);
      context.drawImage(image, 0, 0, photo.width, photo.height);
      show(context.getImageData(0, 0, photo.width, photo.height).data, photo.width, photo.height);
    }

    function show(pixels, width, height) {
      const size = `${width} \u00d7 ${height} pixels`;
      if (width < 3 || height < 3) return say(`This image has ${size}: too small for a patch of 3 \u00d7 3.`);
      const found = moments(pixels, width, height);
      const most = Math.max(...found.covariance.map((row, i) => row[i]));
      if (!(most > 1e-9)) return say('All patches of this image are alike, so there is no pattern to learn from.');
      const {filters, shares, rank} = components(found), n = filters.length;
      photo.hidden = false;
      const gains = filters.map(f => reference.map(r => Math.abs(dot(f, r))));
      const order = bank ? assignment(gains) : [], cosines = order.map((j, i) => gains[i][j]);
      drawPairs(pairs, filters, order.map(j => reference[j]), cosines, [3, 3], colors);
      pairs.setAttribute('aria-label', `${n} components of the photograph` + (bank ? `, each above its match among those of ${name}.` : '.'));
      const percent = value => `${(100 * value).toFixed(1)} %`, all = found.used + found.constant;
      say(`${size}, ${all.toLocaleString('en')} patches, ${percent(found.constant / all)} of them constant. ` +
        `The first component has ${percent(shares[0])} of the variance.` +
        (rank < 26 ? ` The patches vary in ${rank} of 27 directions only, as those of grey or drawn images do.` : ''));
      if (bank) {
        const m = Math.min(leading, n), angle = largestAngle(filters.slice(0, m), reference.slice(0, m));
        const sorted = [...cosines].sort((a, b) => a - b);
        find('.below').textContent = `Above, your components by decreasing variance; below each, the one of ${name} that it is ` +
          `matched with, and the magnitude of their cosine. The median is ${sorted[n >> 1].toFixed(2)}; ` +
          `the spaces of the ${m} leading components differ by at most ${degrees(angle)}.`;
      }
      const lines = [['share of the variance', ...range(27).map(i => `${'rgb'[Math.floor(i / 9)]}${Math.floor(i % 9 / 3)}${i % 3}`)],
        ...filters.map((f, i) => [shares[i], ...f])];
      table.href = 'data:text/csv;charset=utf-8,' + encodeURIComponent(lines.map(cells => cells.join(',')).join('\n'));
      table.hidden = false;
    }

    file.onchange = () => file.files[0] && read(file.files[0]);
    root.ondragover = event => { event.preventDefault(); find('.drop').classList.add('over'); };
    root.ondragleave = () => find('.drop').classList.remove('over');
    root.ondrop = event => {
      event.preventDefault();
      find('.drop').classList.remove('over');
      const [dropped] = event.dataTransfer.files;
      if (dropped) read(dropped);
      else say('That was no file. Save the image first, or choose it by the button.');
    };
    clear();
    if (bank) {
      drawPairs(pairs, reference, [], [], [3, 3], colors);
      pairs.setAttribute('aria-label', `The components of ${name}`);
      find('.below').textContent = `Until you choose a photograph: the components of ${name}, by decreasing variance.`;
    }
  };

  for (const root of document.querySelectorAll('.book-widget.drag:not([data-started])')) {
    root.dataset.started = '';
    const {kind, ...data} = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
    widgets[kind](root, data);
    root.querySelector('.app').hidden = false;
  }
})();

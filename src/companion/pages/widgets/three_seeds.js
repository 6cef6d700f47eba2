/* Chapter 9: three of the seeds at hand. */

begin('drag-three_seeds', (root, {comparisons, t}, find) => {
  const menu = find('select'), svg = find('.draws'), SIDES = {1: 'above', '-1': 'below', 0: 'can\u2019t tell'};
  const LEFT = 14, RIGHT = 346, DOTS = 22, TOP = 46, ROW = 8, KEPT = 16, FLOOR = 182;
  let one, draws, counts;  // draws: the last ones, the newest first

  // Mean and 95 % t interval of values, and the side of zero it lies on.
  function interval(values) {
    const n = values.length, mean = values.reduce((a, b) => a + b) / n;
    const spread = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (n - 1));
    const half = t[n] * spread / Math.sqrt(n), low = mean - half, high = mean + half;
    return {mean, low, high, side: low > 0 ? 1 : high < 0 ? -1 : 0};
  }

  const of = three => interval(three.map(i => one.values[i]));
  const inWords = ({mean, low, high}) => `${signed(mean)} [${signed(low)}, ${signed(high)}] pp`;

  // Every way to draw three.
  function all() {
    const found = [], n = one.values.length;
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) for (let k = j + 1; k < n; k++) found.push(of([i, j, k]));
    return found;
  }

  function draw() {
    const left = range(one.values.length);
    const three = range(3).map(() => left.splice(Math.floor(Math.random() * left.length), 1)[0]).sort((a, b) => a - b);
    const found = {three, ...of(three)};
    draws = [found, ...draws].slice(0, KEPT);
    counts[found.side] += 1;
  }

  function show() {
    const ways = all(), limit = 1.05 * Math.max(...ways.flatMap(w => [-w.low, w.high]), ...one.values.map(Math.abs), 0.1);
    const x = value => (LEFT + RIGHT) / 2 + value / limit * (RIGHT - LEFT) / 2, last = draws[0];
    const step = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50].find(s => limit / s < 4.5) ?? 100;
    const parts = [line(`M${LEFT} ${FLOOR}H${RIGHT}`), line(`M${x(0)} 8V${FLOOR}`, 'after')];
    for (let i = -Math.floor(limit / step); i * step <= limit; i++) {
      parts.push(line(`M${x(i * step).toFixed(1)} ${FLOOR}v5`), word(x(i * step), FLOOR + 16, i ? signed(i * step, step < 1 ? 1 : 0) : '0'));
    }
    parts.push(word((LEFT + RIGHT) / 2, 212, 'difference, percentage points'));
    one.values.forEach((value, i) => {
      const chosen = last?.three.includes(i);
      parts.push(`<circle class="${chosen ? 'chosen' : 'pair'}" cx="${x(value).toFixed(1)}" cy="${DOTS}" r="${chosen ? 5 : 4}"/>`);
    });
    draws.forEach(({mean, low, high, side}, row) => {
      const y = TOP + ROW * row, name = side ? (side > 0 ? 'second' : 'first') : 'unsure';
      parts.push(`<g opacity="${row ? 0.5 : 1}">` + line(`M${x(low).toFixed(1)} ${y}H${x(high).toFixed(1)}`, name) +
        `<circle class="${name}" cx="${x(mean).toFixed(1)}" cy="${y}" r="${row ? 2 : 4}"/></g>`);
    });
    svg.innerHTML = parts.join('');
    svg.setAttribute('aria-label', `The ${one.values.length} pairs as dots on an axis of differences` +
      (last ? `, three of them chosen, and below the intervals of the last ${draws.length} draws.` : '.'));
    const n = counts[1] + counts[0] + counts[-1];
    find('.tally').textContent = `Papers with three seeds: ${n} (` +
      [1, -1, 0].map(side => `${SIDES[side]} ${counts[side]}`).join(', ') + ').';
    let text = last ? `Pairs ${last.three.map(i => i + 1).join(', ')}: ${inWords(last)}, so ` +
      `this paper would say: ${SIDES[last.side]}.` : 'Each dot is a pair of runs. Draw three of them.';
    if (n >= 10) {
      const of = side => ways.filter(w => w.side === side).length;
      text += ` All ${ways.length} ways to draw three: above ${of(1)}, below ${of(-1)}, can\u2019t tell ${of(0)}. ` +
        `All ${one.values.length} pairs together: ${inWords(interval(one.values))}.`;
    }
    find('.summary').textContent = text;
  }

  function start() {
    one = comparisons[menu.selectedIndex];
    [draws, counts] = [[], {1: 0, 0: 0, '-1': 0}];
    show();
  }

  menu.append(...comparisons.map(({name}) => new Option(name)));
  menu.onchange = find('.again').onclick = start;
  find('.draw').onclick = () => { draw(); show(); };
  find('.ten').onclick = () => { for (let i = 0; i < 10; i++) draw(); show(); };
  start();
});

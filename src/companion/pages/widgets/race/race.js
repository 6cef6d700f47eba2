/* Chapter 8: a race of two starts. The networks are trained by a worker, a few steps for each request. */

const PACE = 100;  // milliseconds between two drawings at least, so that filters are seen to turn

begin('drag-race', (root, {names, bank, images, labels, worker, setting, colors}, find) => {
  const {sizes, train, epochs, batch} = setting, perEpoch = Math.ceil(train / batch), tested = bytes(labels).length - train;
  const banks = unpack(bank), draws = banks.length / names.length, calm = matchMedia('(prefers-reduced-motion: reduce)');
  const menus = [find('.one'), find('.two')], [go, again, ten, output, summary] = ['.go', '.again', '.ten', 'output', '.summary'].map(find);
  const lanes = [...root.querySelectorAll('.lane')], LEFT = 46, RIGHT = 278, TOP = 8, FLOOR = 200, roles = ['first', 'second'];
  const series = new Map();  // of each pair of starts: how many races have begun, and those that came to their end
  let helper, count = 0, now;

  const escaped = text => element('i', {textContent: text}).innerHTML;
  const percent = right => `${(100 * right / tested).toFixed(1)} %`;
  const report = text => { summary.textContent = text; };
  const chosen = () => menus.map(menu => menu.value);
  const called = () => { const [a, b] = chosen().map(i => names[i]); return [a, a === b ? `${b}, again` : b]; };
  const key = () => chosen().join();
  const held = () => series.get(key()) ?? series.set(key(), {begun: 0, ended: []}).get(key());
  const running = () => now && !now.done && !now.paused;

  // One worker for this figure, made when first needed. From a Blob it works in a page opened from the disk, too.
  async function employ() {
    const unpacked = new Blob([bytes(images)]).stream().pipeThrough(new DecompressionStream('deflate'));
    const pixels = Float64Array.from(new Uint8Array(await new Response(unpacked).arrayBuffer()), level => level / 255);
    const made = new Worker(URL.createObjectURL(new Blob([worker], {type: 'text/javascript'})));
    made.onmessage = ({data}) => data.id === now?.id && receive(data);
    made.onerror = failed;
    made.postMessage({setting: {...setting, images: pixels, labels: bytes(labels)}});
    return made;
  }

  function failed() {
    now = undefined;
    report('This browser does not let the page compute in the background, so there is no race.');
    buttons();
  }

  function ask(message) {
    const full = {id: now.id, ...message};  // by the time it is sent, another race may be on
    helper ??= employ();
    helper.then(made => made.postMessage(full), failed);
  }

  // The next race of the chosen pair, and so many after it; one that is on its way is broken off.
  function start(left = 0) {
    const seed = ++held().begun, pair = chosen().map(i => banks[i * draws + (seed - 1) % draws]);
    now = {id: ++count, seed, left, begins: pair, filters: pair, points: []};
    if (!left) report(`Race ${seed} is running.`);
    ask({seed, banks: pair.map(filters => filters.flat()), more: 0});
    draw();
  }

  function receive({step, last, right, filters}) {
    const d = sizes.k ** 2, list = all => range(sizes.filters).map(f => [...all.subarray(f * d, (f + 1) * d)]);
    now.points.push([step / perEpoch, ...right]);
    now.filters = filters.map(list);
    if (step === last) return finish(right);
    if (!calm.matches && !now.left) draw();
    proceed();
  }

  function proceed() {
    const race = now;
    setTimeout(() => {
      if (race !== now) return;
      if (race.paused) race.waits = true;
      else ask({more: race.left ? perEpoch : Math.ceil(perEpoch / 4)});
    }, now.left || calm.matches ? 0 : PACE);
  }

  function finish(right) {
    now.done = true;
    held().ended.push(now.points);
    draw();
    if (now.left) return start(now.left - 1);
    const [a, b] = called(), lead = Math.abs(right[0] - right[1]);
    report(`Race ${now.seed}, after ${epochs} epochs: ${a} ${percent(right[0])}, ${b} ${percent(right[1])} of ${tested} test images. ` +
      (lead ? `Ahead by ${lead} image${lead > 1 ? 's' : ''}: ${right[0] > right[1] ? a : b}.` : 'The two are level.'));
  }

  function pause() {
    now.paused = !now.paused;
    const at = now.points.length ? now.points.at(-1)[0] : 0;
    report(`Race ${now.seed} ${now.paused ? `is paused after ${at} of ${epochs} epochs` : 'is running'}.`);
    if (now.waits && !now.paused) {
      now.waits = false;
      proceed();
    }
    draw();
  }

  function buttons() {
    go.textContent = running() ? 'Pause' : now && !now.done ? 'Go on' : 'Go';
    again.disabled = !held().begun;
    const at = now?.points.at(-1);
    output.textContent = now && !now.done ? `race ${now.seed}${at ? `, epoch ${at[0].toFixed(2)} of ${epochs}` : ''}` : '';
  }

  function drawLane(lane, i) {
    const begins = now ? now.begins[i] : banks[chosen()[i] * draws], filters = now ? now.filters[i] : begins;
    const [title, grid, below] = lane.children, peak = Math.max(...filters.flat().map(Math.abs)) || 1;
    const turned = filters.map((w, f) => 1 - dot(w, begins[f]) / (norm(w) * norm(begins[f]) || 1)).sort((a, b) => a - b);
    title.textContent = called()[i];
    grid.setAttribute('aria-label', `${filters.length} filters of ${called()[i]}`);
    while (grid.children.length < filters.length) grid.append(element('canvas'));
    filters.forEach((w, f) => paintFilter(grid.children[f], w, [1, sizes.k], peak, colors));
    below.textContent = `median cosine distance ${Math.abs(turned[turned.length >> 1]).toFixed(2)}`;
  }

  function drawCurves() {
    const across = epoch => LEFT + epoch / epochs * (RIGHT - LEFT), up = right => FLOOR - right / tested * (FLOOR - TOP);
    const parts = [line(`M${LEFT} ${TOP}V${FLOOR}H${RIGHT}`), word((LEFT + RIGHT) / 2, 234, 'epoch'), word(LEFT + 8, TOP + 6, 'test accuracy', 'start')];
    for (const share of [0, 25, 50, 75, 100]) parts.push(word(LEFT - 6, up(share * tested / 100) + 4, `${share} %`, 'end'));
    for (let epoch = 0; epoch <= epochs; epoch += 2) parts.push(line(`M${across(epoch)} ${FLOOR}v5`), word(across(epoch), FLOOR + 18, epoch));
    const curve = (points, i, name) => line('M' + points.map(p => point(across(p[0]), up(p[1 + i]))).join('L'), name);
    for (const points of held().ended) if (points !== now?.points) parts.push(...roles.map((role, i) => curve(points, i, `${role} past`)));
    const last = now?.points.at(-1);
    if (last) {
      // Labels at the lines' ends keep clear of each other and of the axis.
      const heights = [up(last[1]), up(last[2])], middle = clamp((heights[0] + heights[1]) / 2, TOP + 28, FLOOR - 28), upper = last[1] >= last[2] ? 0 : 1;
      const gap = Math.max(15, Math.abs(heights[0] - heights[1]) / 2);
      parts.push(...roles.map((role, i) => curve(now.points, i, role)));
      roles.forEach((role, i) => {
        const y = clamp(middle + (i === upper ? -gap : gap), TOP + 6, FLOOR - 14), x = across(last[0]) + 7;
        parts.push(word(x, y, percent(last[1 + i]), 'start', `${role} share`), word(x, y + 13, escaped(called()[i]), 'start', role));
      });
    }
    const curves = find('.curves');
    curves.innerHTML = parts.join('');
    curves.setAttribute('aria-label', `Test accuracy over ${epochs} epochs` +
      (last ? `: at epoch ${last[0]} ${called().map((name, i) => `${name} ${percent(last[1 + i])}`).join(', ')}.` : ', empty until a race is run.'));
  }

  function drawTally() {
    const {ended} = held(), n = ended.length;
    find('caption').textContent = `Who was ahead, in ${n} race${n === 1 ? '' : 's'}`;
    root.querySelectorAll('thead th').forEach((cell, i) => { if (i < 2) cell.textContent = called()[i]; });
    [points => points.find(p => p[0] >= 1), points => points.at(-1)].forEach((at, row) => {
      const leads = ended.map(points => { const [, a, b] = at(points); return Math.sign(a - b); });
      [1, -1, 0].forEach((side, i) => { find(`tbody tr:nth-child(${row + 1})`).cells[i + 1].textContent = leads.filter(lead => lead === side).length; });
    });
  }

  function draw() {
    buttons();
    lanes.forEach(drawLane);
    drawCurves();
    drawTally();
  }

  function choose() {
    now = undefined;
    report('Press Go: both networks are trained on the same batches, and all their weights but the first layer\u2019s begin alike.');
    draw();
  }

  menus.forEach((menu, i) => {
    menu.replaceChildren(...names.map((name, j) => new Option(name, j)));
    menu.value = i ? names.length - 1 : 0;
    menu.onchange = choose;
  });
  go.onclick = () => (now && !now.done ? pause() : start());
  again.onclick = () => start();
  ten.onclick = () => start(9);
  choose();
});

/* Chapter 6: from one centroid to its neighbour. */

begin('drag-morph', (root, {k, n, pairs, bank, colors}, find) => {
  const menu = find('select'), slider = find('[type=range]'), svg = find('.density'), stations = find('.stations');
  const [centres] = unpack(bank), sides = bank.shape.slice(2), last = pairs[0][2].length - 1;
  const LEFT = 40, RIGHT = 348, TOP = 12, FLOOR = 160;
  const peak = Math.max(...centres.flat().map(Math.abs));
  const valley = counts => 2 * counts[last / 2] < k;

  // The place at a share of the way, on the sphere that the centroids lie on.
  function at(share, a, b) {
    const mixed = a.map((value, i) => (1 - share) * value + share * b[i]), length = norm(mixed) || 1;
    return mixed.map(value => value / length);
  }

  function draw() {
    const [i, j, patches, gaussian] = pairs[menu.selectedIndex], step = +slider.value, share = step / last;
    const shown = [[0, `centroid ${i + 1}`], [share, 'here'], [1, `centroid ${j + 1}`]];
    stations.replaceChildren(...shown.map(([where, name]) => {
      const canvas = element('canvas');
      paintFilter(canvas, at(where, centres[i], centres[j]), sides, peak, colors);
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', name === 'here' ? `The patch ${Math.round(100 * share)} % of the way` : `The patch of ${name}`);
      return element('div', {}, canvas, element('span', {textContent: name}));
    }));
    const most = Math.max(...patches, ...gaussian, k), x = s => LEFT + s / last * (RIGHT - LEFT), y = c => FLOOR - c / most * (FLOOR - TOP);
    const curve = (counts, name) => line('M' + counts.map((c, s) => point(x(s), y(c))).join('L'), name);
    const key = (left, name, text) => line(`M${left} 200h20`, name) + word(left + 25, 204, text, 'start', name);
    svg.innerHTML = line(`M${LEFT} ${TOP}V${FLOOR}H${RIGHT}`) + word(LEFT - 5, y(most) + 8, most, 'end') + word(LEFT - 5, FLOOR, 0, 'end') +
      word(LEFT, FLOOR + 16, `centroid ${i + 1}`, 'start') + word(x(last / 2), FLOOR + 16, 'midway') + word(RIGHT, FLOOR + 16, `centroid ${j + 1}`, 'end') +
      line(`M${LEFT} ${y(k / 2).toFixed(1)}H${RIGHT}`, 'grid') + line(`M${x(step).toFixed(1)} ${TOP}V${FLOOR}`, 'after') +
      curve(gaussian, 'first after') + curve(patches, 'second') +
      `<circle class="first" cx="${x(step).toFixed(1)}" cy="${y(gaussian[step]).toFixed(1)}" r="4"/>` +
      `<circle class="second" cx="${x(step).toFixed(1)}" cy="${y(patches[step]).toFixed(1)}" r="5"/>` +
      key(LEFT, 'second', 'patches') + key(LEFT + 120, 'first after', 'Gaussian');
    svg.setAttribute('aria-label', `Points near each place between centroids ${i + 1} and ${j + 1}. Patches: ${patches[0]} at the first, ` +
      `${patches[last / 2]} midway, ${patches[last]} at the second. Gaussian: ${[0, last / 2, last].map(s => Math.round(gaussian[s])).join(', ')}.`);
    const where = `${Math.round(100 * share)} % of the way`;
    find('output').textContent = where;
    slider.setAttribute('aria-valuetext', where);
    find('.summary').textContent = `At ${where}: ${patches[step]} of ${n.toLocaleString('en')} patches are near, and ${Math.round(gaussian[step])} points of the Gaussian. ` +
      `Midway ${patches[last / 2]} patches are near, so there is ${valley(patches) ? 'a' : 'no'} valley, which takes fewer than ${k / 2}.`;
  }

  menu.append(...pairs.map(([i, j, counts]) => new Option(`${i + 1} and ${j + 1}${valley(counts) ? ' (valley)' : ''}`)));
  find('.near').textContent = `Near is within one radius, the least that holds ${k} patches around each of the two centroids. ` +
    'The Gaussian has the mean and the covariance of the patches, and as many points.';
  slider.max = last;
  slider.value = last / 2;
  slider.oninput = menu.onchange = draw;
  drag(svg, share => {
    slider.value = Math.round(clamp((360 * share - LEFT) / (RIGHT - LEFT), 0, 1) * last);
    draw();
  });
  draw();
});

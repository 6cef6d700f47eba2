/* Chapter 4: an image rebuilt from the first m filters. */

begin('drag-rebuilt', (root, {shape, image, side, centre, scale, names, bank, kept}, find) => {
  const slider = find('[type=range]'), grid = find('.images'), banks = unpack(bank), levels = bytes(image);
  const [channels, height, width] = shape, area = height * width, n = bank.shape[1], d = bank.shape[2];
  // Where the values of a patch lie, from its upper left corner, and how many patches hold a pixel.
  const within = range(d).map(i => Math.floor(i / side ** 2) * area + Math.floor(i / side) % side * width + i % side);
  const corners = range((height - side + 1) * (width - side + 1))
    .map(p => Math.floor(p / (width - side + 1)) * width + p % (width - side + 1));
  const times = new Float64Array(levels.length);
  for (const corner of corners) for (const at of within) times[corner + at] += 1;

  // Each patch's values, mean, deviation, and its standardised features.
  const patches = corners.map(corner => {
    const values = within.map(at => levels[corner + at]), mean = values.reduce((a, b) => a + b) / d;
    const spread = norm(values.map(v => v - mean)) / Math.sqrt(d);
    return {corner, values, mean, spread, features: values.map((v, i) => ((v - mean) / (spread || 1) - centre[i]) / scale[i])};
  });

  function rebuilt(filters) {
    const sums = new Float64Array(levels.length);
    for (const {corner, values, mean, spread, features} of patches) {
      const found = new Float64Array(d);
      for (const weights of filters) {
        const response = dot(weights, features);
        for (let i = 0; i < d; i++) found[i] += response * weights[i];
      }
      for (let i = 0; i < d; i++) {
        sums[corner + within[i]] += spread ? (found[i] * scale[i] + centre[i]) * spread + mean : values[i];
      }
    }
    return sums.map((sum, i) => sum / times[i]);
  }

  const show = (canvas, values) =>
    paint(canvas, width, height, p => range(3).map(c => Math.round(clamp(values[(c % channels) * area + p], 0, 255))));

  function draw() {
    const m = +slider.value, filters = `${m} filter${m === 1 ? '' : 's'}`;
    const shares = names.map((name, b) => `${kept[b][m - 1].toFixed(0)} %`);
    names.forEach((name, b) => {
      const [canvas, label] = grid.children[b + 1].children;
      show(canvas, rebuilt(banks[b].slice(0, m)));
      canvas.setAttribute('aria-label', `The image rebuilt from ${filters}: ${name}`);
      label.textContent = `${name}: ${shares[b]}`;
    });
    find('output').textContent = filters;
    slider.setAttribute('aria-valuetext', filters);
    find('.summary').textContent = `With ${filters} of ${n}, share of the variance kept: ` +
      names.map((name, b) => `${name} ${shares[b]}`).join(', ') + '.';
  }

  grid.append(...['the image', ...names].map(name => {
    const canvas = element('canvas');
    canvas.setAttribute('role', 'img');
    return element('div', {}, canvas, element('span', {textContent: name}));
  }));
  const first = grid.querySelector('canvas');
  show(first, levels);
  first.setAttribute('aria-label', 'The image');
  slider.max = n;
  slider.oninput = draw;
  draw();
});

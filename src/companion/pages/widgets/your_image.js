/* A photograph of one's own. */

const LONGEST = 512;  // pixels along a photograph's longer side: some 260,000 patches

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

begin('drag-your_image', (root, {bank, leading, name, colors}, find) => {
  const file = find('[type=file]'), report = text => { find('.summary').textContent = text; };
  const pairs = find('.pairs'), photo = find('.photo'), table = find('[download]');
  // What was rounded is made orthonormal again: an angle near 0 asks for it.
  const reference = (bank ? unpack(bank)[0] : []).reduce((done, filter) => {
    const left = done.reduce((f, other) => { const along = dot(f, other); return f.map((w, i) => w - along * other[i]); }, filter);
    return [...done, left.map(w => w / norm(left))];
  }, []);
  let latest = 0;

  function clear() {
    photo.hidden = table.hidden = pairs.hidden = true;  // a picture of nothing has no name
    find('.below').textContent = '';
  }

  async function read(chosen) {
    const turn = ++latest;
    clear();
    report('Reading \u2026');
    let image;
    try {
      image = await createImageBitmap(chosen);
    } catch {
      if (turn === latest) report(`${chosen.name} is not an image that this browser can read. Try a JPEG or PNG file.`);
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
    show(context.getImageData(0, 0, photo.width, photo.height).data, photo.width, photo.height, image);
  }

  function show(pixels, width, height, image) {
    const size = `${width} \u00d7 ${height} pixels`;
    if (width < 3 || height < 3) {
      const scaled = image.width > width ? `, and ${width} \u00d7 ${height} once its longer side is scaled to ${LONGEST}` : '';
      return report(`This image has ${image.width} \u00d7 ${image.height} pixels${scaled}: ` +
        `${scaled ? 'too narrow' : 'too small'} for a patch of 3 \u00d7 3.` + (scaled ? ' Cut out a shorter part of it.' : ''));
    }
    const found = moments(pixels, width, height);
    const most = Math.max(...found.covariance.map((row, i) => row[i]));
    if (!(most > 1e-9)) return report('All patches of this image are alike, so there is no pattern to learn from.');
    const {filters, shares, rank} = components(found), n = filters.length;
    photo.hidden = pairs.hidden = false;
    const gains = filters.map(f => reference.map(r => Math.abs(dot(f, r))));
    const order = bank ? assignment(gains) : [], cosines = order.map((j, i) => gains[i][j]);
    const label = `${n} components of the photograph` + (bank ? `, each above its match among those of ${name}.` : '.');
    drawPairs(pairs, label, filters, order.map(j => reference[j]), cosines, [3, 3], colors);
    const percent = value => `${(100 * value).toFixed(1)} %`, all = found.used + found.constant;
    report(`${size}, ${all.toLocaleString('en')} patches, ${percent(found.constant / all)} of them constant. ` +
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

  file.onchange = () => {
    const [chosen] = file.files;
    file.value = '';  // or the same file, changed meanwhile and chosen again, would not be read
    if (chosen) read(chosen);
  };
  const over = on => find('.drop').classList.toggle('over', on);
  root.ondragover = event => { event.preventDefault(); over(true); };
  root.ondragleave = () => over(false);
  root.ondrop = event => {
    event.preventDefault();
    over(false);
    const [dropped] = event.dataTransfer.files;
    if (dropped) read(dropped);
    else report('That was no file. Save the image first, or choose it by the button.');
  };
  clear();
  if (bank) {
    pairs.hidden = false;
    drawPairs(pairs, `The components of ${name}`, reference, [], [], [3, 3], colors);
    find('.below').textContent = `Until you choose a photograph: the components of ${name}, by decreasing variance.`;
  }
});

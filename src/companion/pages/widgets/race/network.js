/* A small network, its gradients and Adam, as torch computes them. This text runs in a worker: it needs no page.

Convolution, batch normalisation, ReLU, convolution, mean over each map, linear layer. Behind the second convolution
stands no ReLU, so the mean is taken before it: of the windows that it would see. That is the same, 16 times cheaper. */

// Every window of side k of every image, (n, windows, k * k): they do not change in training.
function windowsOf(images, side, k) {
  const out = side - k + 1, n = images.length / (side * side), found = new Float64Array(n * out * out * k * k);
  let at = 0;
  for (let i = 0; i < n; i++) for (let y = 0; y < out; y++) for (let x = 0; x < out; x++) {
    for (let dy = 0; dy < k; dy++) for (let dx = 0; dx < k; dx++) found[at++] = images[(i * side + y + dy) * side + x + dx];
  }
  return found;
}

// `sizes`: side of the images and of both convolutions' filters, number of filters of each, classes.
function network({side, k, filters: F, hidden: H, classes: C}) {
  const S = side - k + 1, T = S - k + 1, A = k * k, P = S * S, D = F * A;  // sides of the maps; areas; inputs of the second
  const lengths = {first: D, gain: F, shift: F, second: H * D, secondBias: H, last: C * H, lastBias: C};
  const total = Object.values(lengths).reduce((a, b) => a + b);
  const views = whole => {
    let from = 0;
    return Object.fromEntries(Object.entries(lengths).map(([name, n]) => [name, whole.subarray(from, from += n)]));
  };
  const weights = new Float64Array(total), gradients = new Float64Array(total);
  const moment = new Float64Array(total), square = new Float64Array(total);  // Adam's
  const w = views(weights), g = views(gradients);
  const running = {mean: new Float64Array(F), variance: new Float64Array(F).fill(1)};
  let steps = 0;
  w.gain.fill(1);

  // Means of the windows that the second convolution sees, (D); `back` spreads their gradients instead.
  function windowMeans(maps, from, means, at, back) {
    for (let f = 0; f < F; f++) for (let dy = 0; dy < k; dy++) for (let dx = 0; dx < k; dx++) {
      const j = at + f * A + dy * k + dx;
      let sum = 0;
      for (let y = dy; y < dy + T; y++) for (let x = dx; x < dx + T; x++) {
        const i = from + (y * S + x) * F + f;
        if (back) maps[i] += means[j] / (T * T);
        else sum += maps[i];
      }
      if (!back) means[j] = sum / (T * T);
    }
  }

  // rows (n, i) times weights (o, i), plus a bias: (n, o).
  function linear(rows, n, matrix, bias) {
    const o = bias.length, size = matrix.length / o, out = new Float64Array(n * o);
    for (let r = 0; r < n; r++) for (let j = 0; j < o; j++) {
      let sum = bias[j];
      for (let i = 0; i < size; i++) sum += rows[r * size + i] * matrix[j * size + i];
      out[r * o + j] = sum;
    }
    return out;
  }

  // Adds the gradients of `linear` by matrix and bias; returns those by its rows.
  function linearBack(rows, n, matrix, out, toMatrix, toBias) {
    const o = toBias.length, size = matrix.length / o, back = new Float64Array(n * size);
    for (let r = 0; r < n; r++) for (let j = 0; j < o; j++) {
      const d = out[r * o + j];
      toBias[j] += d;
      for (let i = 0; i < size; i++) {
        toMatrix[j * size + i] += d * rows[r * size + i];
        back[r * size + i] += d * matrix[j * size + i];
      }
    }
    return back;
  }

  // All values on the way from the windows of some images, `which`, to their scores. In training the batch's own mean
  // and variance are taken, and remembered; otherwise those remembered.
  function forward(windows, which, training) {
    const n = which.length, N = n * P, maps = new Float64Array(N * F), {first, gain, shift} = w;
    for (let b = 0; b < n; b++) for (let p = 0; p < P; p++) {
      const from = (which[b] * P + p) * A, to = (b * P + p) * F;
      for (let f = 0; f < F; f++) {
        let sum = 0;
        for (let a = 0; a < A; a++) sum += windows[from + a] * first[f * A + a];
        maps[to + f] = sum;
      }
    }
    const mean = new Float64Array(training ? F : running.mean), variance = new Float64Array(training ? F : running.variance);
    if (training) {
      for (let f = 0; f < F; f++) {
        for (let i = f; i < N * F; i += F) mean[f] += maps[i] / N;
        for (let i = f; i < N * F; i += F) variance[f] += (maps[i] - mean[f]) ** 2 / N;
        running.mean[f] += 0.1 * (mean[f] - running.mean[f]);
        running.variance[f] += 0.1 * (variance[f] * N / (N - 1) - running.variance[f]);
      }
    }
    const scale = variance.map(v => 1 / Math.sqrt(v + 1e-5)), normal = maps, active = new Float64Array(N * F);
    for (let f = 0; f < F; f++) for (let i = f; i < N * F; i += F) {
      normal[i] = (maps[i] - mean[f]) * scale[f];
      active[i] = Math.max(0, gain[f] * normal[i] + shift[f]);
    }
    const means = new Float64Array(n * D);
    for (let b = 0; b < n; b++) windowMeans(active, b * P * F, means, b * D);
    const inner = linear(means, n, w.second, w.secondBias);
    return {n, N, scale, normal, active, means, inner, scores: linear(inner, n, w.last, w.lastBias)};
  }

  // Mean cross-entropy of a batch, whose gradients are left in `gradients`.
  function loss(windows, labels, which) {
    const {n, N, scale, normal, active, means, inner, scores} = forward(windows, which, true);
    let sum = 0;
    for (let b = 0; b < n; b++) {
      const row = scores.subarray(b * C, (b + 1) * C), top = Math.max(...row), right = labels[which[b]];
      const all = row.reduce((s, v) => s + Math.exp(v - top), 0);
      sum += top + Math.log(all) - row[right];
      for (let c = 0; c < C; c++) row[c] = (Math.exp(row[c] - top) / all - (c === right)) / n;
    }
    gradients.fill(0);
    const toInner = linearBack(inner, n, w.last, scores, g.last, g.lastBias);
    const toMeans = linearBack(means, n, w.second, toInner, g.second, g.secondBias);
    const back = new Float64Array(N * F);
    for (let b = 0; b < n; b++) windowMeans(back, b * P * F, toMeans, b * D, true);
    const {first, gain, shift} = g;
    for (let f = 0; f < F; f++) for (let i = f; i < N * F; i += F) {
      if (!active[i]) back[i] = 0;
      shift[f] += back[i];
      gain[f] += back[i] * normal[i];
    }
    for (let b = 0; b < n; b++) for (let p = 0; p < P; p++) for (let f = 0; f < F; f++) {
      const i = (b * P + p) * F + f, from = (which[b] * P + p) * A;
      const d = w.gain[f] * scale[f] * (back[i] - (shift[f] + normal[i] * gain[f]) / N);
      for (let a = 0; a < A; a++) first[f * A + a] += d * windows[from + a];
    }
    return sum / n;
  }

  function adam(rate) {
    const first = 1 - 0.9 ** ++steps, second = Math.sqrt(1 - 0.999 ** steps);
    for (let i = 0; i < total; i++) {
      moment[i] += 0.1 * (gradients[i] - moment[i]);
      square[i] += 0.001 * (gradients[i] ** 2 - square[i]);
      weights[i] -= rate / first * moment[i] / (Math.sqrt(square[i]) / second + 1e-8);
    }
  }

  // How many of some images get their own class.
  function right(windows, labels, which) {
    const {n, scores} = forward(windows, which, false);
    let count = 0;
    for (let b = 0; b < n; b++) {
      const row = scores.subarray(b * C, (b + 1) * C);
      count += row.indexOf(Math.max(...row)) === labels[which[b]];
    }
    return count;
  }

  return {weights: w, gradients: g, loss, adam, right};
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

// Two networks from two banks that share all else: a seed's other weights, and the order of its batches.
function race({sizes, windows, labels, train, batch, epochs, rate}, seed, banks) {
  const random = generator(seed), {k, filters, hidden, classes} = sizes, area = k * k, [one, two] = [network(sizes), network(sizes)];
  for (const [name, fans] of [['second', (filters + hidden) * area], ['last', hidden + classes]]) {
    const limit = Math.sqrt(6 / fans);  // Glorot's
    one.weights[name].forEach((_, i, all) => { all[i] = limit * (2 * random() - 1); });
    two.weights[name].set(one.weights[name]);
  }
  [one, two].forEach((net, i) => net.weights.first.set(banks[i]));
  const order = Uint16Array.from({length: train}, (_, i) => i), perEpoch = Math.ceil(train / batch), last = epochs * perEpoch;
  const test = Uint16Array.from({length: labels.length - train}, (_, i) => train + i);
  let step = 0;
  // What is shown, after some more steps, but not beyond the end of an epoch.
  return more => {
    for (const end = Math.min(step + more, (Math.floor(step / perEpoch) + 1) * perEpoch, last); step < end; step++) {
      const at = step % perEpoch * batch;
      if (!at) for (let i = train - 1; i > 0; i--) {
        const j = Math.floor(random() * (i + 1));
        [order[i], order[j]] = [order[j], order[i]];
      }
      for (const net of [one, two]) {
        net.loss(windows, labels, order.subarray(at, at + batch));
        net.adam(step < 0.8 * last ? rate : rate / 10);  // as the paper's protocol
      }
    }
    const nets = [one, two];
    return {step, last, right: nets.map(net => net.right(windows, labels, test)), filters: nets.map(net => net.weights.first.slice())};
  };
}

let data, advance;
onmessage = ({data: {setting, seed, banks, id, more}}) => {
  if (setting) data = {...setting, windows: windowsOf(setting.images, setting.sizes.side, setting.sizes.k)};
  if (banks) advance = race(data, seed, banks);
  if (more !== undefined) postMessage({id, ...advance(more)});
};

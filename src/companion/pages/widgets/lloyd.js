/* Chapter 5: Lloyd's steps. */

const CLUSTERS = ['#0072b2', '#d55e00', '#009e73', '#b8578e', '#b87a00', '#2f8fc4', '#8a6a00', '#7a3e9d'];

const GRIP = 18;  // how near to a centre one takes hold of it, of 320

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

begin('drag-lloyd', (root, {points: stored, step, start, most}, find) => {
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
    const at = ([x, y]) => point(place(x, 320), place(-y, 320));
    find('svg').innerHTML = centres.map((c, j) => {
      const trail = line('M' + history.map(h => at(h.centres[j])).join('L'), 'trail'), [x, y] = at(c).split(' ');
      return trail + `<circle class="${j === held ? 'held' : ''}" cx="${x}" cy="${y}" r="9" fill="${CLUSTERS[j]}"/>` +
        `<text x="${x}" y="${+y + 4}" text-anchor="middle" fill="${j && j < 6 ? '#000' : '#fff'}">${j + 1}</text>` +
        `<rect class="grip" x="${x - GRIP}" y="${y - GRIP}" width="${2 * GRIP}" height="${2 * GRIP}"/>`;
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
    const least = Math.min(...gaps);
    if (least > GRIP / 160 * limit) return false;  // a finger beside the centres scrolls the page
    held = gaps.indexOf(least);
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
});

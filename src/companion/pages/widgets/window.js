/* Chapter 1: a window over an image. */

begin('drag-window', (root, {shape: [channels, height, width], image, side, filters, start, colors}, find) => {
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
        const table = element('div', {className: 'values'});
        table.setAttribute('role', 'img');
        table.setAttribute('aria-label', `${parts[i]}, ${name}: ${mine.map(v => fixed(v)).join(', ')}`);
        table.style.gridTemplateColumns = `repeat(${side}, minmax(0, 1fr))`;
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
});

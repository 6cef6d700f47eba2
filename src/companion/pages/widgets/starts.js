/* The first page and chapter 7: ways to start, and what training made of them. */

begin('drag-starts', (root, {starts, place, peak, sides, bank, colors}, find) => {
  const slider = find('[type=range]'), grid = find('.bank'), svg = find('.leads'), snapshots = unpack(bank);
  const led = starts.filter(start => start.lead).sort((a, b) => b.lead[1] - a.lead[1]);
  const LEFT = 144, RIGHT = 350, ROW = 24;
  const most = Math.max(0.1, ...led.flatMap(({lead}) => lead.map(Math.abs)));
  const x = value => ((LEFT + RIGHT) / 2 + value / most * (RIGHT - LEFT) / 2).toFixed(1);
  let from = 0, chosen;
  for (const start of starts) [start.first, from] = [from, from + start.epochs.length];

  const inWords = ({lead: [low, middle, high], pairs}) =>
    `${signed(middle)} points [${signed(low)}, ${signed(high)}] from Glorot\u2019s start (${pairs} pairs of runs, 95 % interval; ${place})`;

  function choose(start) {
    const share = chosen ? slider.value / slider.max : 0;
    chosen = start;
    slider.max = Math.max(1, start.epochs.length - 1);
    slider.value = Math.round((share || 0) * slider.max);
    slider.disabled = start.epochs.length === 1;
    [...find('.buttons').children].forEach((button, i) => button.setAttribute('aria-pressed', starts[i] === start));
    drawLeads();
    draw();
  }

  function draw() {
    const step = slider.disabled ? 0 : +slider.value, epoch = chosen.epochs[step];
    const when = epoch ? `after epoch ${epoch}` : 'at the start';
    const filters = snapshots[chosen.first + step];
    grid.replaceChildren(...filters.map(weights => {
      const canvas = element('canvas');
      paintFilter(canvas, weights, sides, peak, colors);
      return canvas;
    }));
    grid.setAttribute('aria-label', `${filters.length} filters, ${chosen.name}, ${when}`);
    find('output').textContent = when;
    slider.setAttribute('aria-valuetext', when);
    find('.summary').textContent = `${chosen.name}, ${when}. ` + (chosen.lead ? `The network ends ${inWords(chosen)}.` :
      slider.disabled ? 'No network was trained from it here.' : chosen.few ? 'Its runs are too few for an interval.' : 'The others are held against it.');
  }

  // A row for each start that has runs; words of ours and numbers, names are set as text.
  function drawLeads() {
    const floor = 12 + ROW * led.length, step = [0.1, 0.2, 0.5, 1, 2, 5, 10].find(v => most / v < 3) ?? 50;
    const n = Math.floor(most / step);
    svg.setAttribute('viewBox', `0 0 360 ${floor + 40}`);
    svg.toggleAttribute('hidden', !led.length);
    svg.innerHTML = line(`M${x(0)} 4V${floor}`, 'after') + line(`M${LEFT} ${floor}H${RIGHT}`) +
      range(2 * n + 1).map(i => step * (i - n)).map(v => line(`M${x(v)} ${floor}v4`) +
        word(+x(v), floor + 16, v ? signed(v, step < 1 ? 1 : 0) : 'Glorot')).join('') + word((LEFT + RIGHT) / 2, floor + 34, 'accuracy, points from Glorot') +
      led.map((start, row) => {
        const y = 16 + ROW * row, [low, middle, high] = start.lead, own = start === chosen;
        return `<g class="${own ? 'own' : 'other'}">` + word(LEFT - 8, y + 4, '', 'end', 'name') +
          line(`M${x(low)} ${y}H${x(high)}`, own ? 'second' : '') +
          `<circle class="${own ? 'second' : ''}" cx="${x(middle)}" cy="${y}" r="${own ? 6 : 4}"/></g>`;
      }).join('');
    svg.querySelectorAll('.name').forEach((text, i) => { text.textContent = led[i].name; });
    svg.setAttribute('aria-label', 'Final accuracy minus that of Glorot\u2019s start, in points: ' +
      led.map(({name, lead}) => `${name} ${signed(lead[1])}`).join(', ') + '.');
  }

  find('.buttons').append(...starts.map(start => element('button', {type: 'button', textContent: start.name, onclick: () => choose(start)})));
  slider.value = 0;
  slider.oninput = draw;
  choose(starts[0]);
});

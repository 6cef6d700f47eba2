/* Chapter 11: norm and angle. */

begin('drag-turn', (root, {low, high, step, marks}, find) => {
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
        line(`M18 ${y}L${point(18 + length, y - side)}`, 'after') +
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
      const points = range(49).map(j => low * (high / low) ** (j / 48)).map(n => point(across(n), up(angle(power, n))));
      parts.push(line('M' + points.join('L'), role));
      parts.push(word(across(2.2) + (i ? 6 : -6), up(angle(power, 2.2)) + (i ? -6 : 10), name, i ? 'start' : 'end', role));
      parts.push(`<circle class="${role}" cx="${across(at).toFixed(1)}" cy="${up(found[i]).toFixed(1)}" r="5"/>`);
    });
    chart.innerHTML = parts.join('');
    chart.setAttribute('aria-label', `Angle by norm, both axes logarithmic: SGD's line falls twice as steeply as Adam's.`);
    const normText = `norm ${at.toFixed(2)}`, twice = kinds.map(([, power]) => degrees(angle(power, 2 * at)));
    find('output').textContent = normText;
    slider.setAttribute('aria-valuetext', normText);
    find('.summary').textContent = `At ${normText} one step turns the filter by ${degrees(found[0])} under SGD and by ` +
      `${degrees(found[1])} under Adam; at twice the norm by ${twice[0]} and ${twice[1]}.`;
  }

  find('.buttons').append(...marks.map(([name, at]) => element('button', {type: 'button', textContent: name, onclick: () => set(at)})));
  drag(turns, x => set((360 * x - 18) / UNIT));
  drag(chart, x => set(low * (high / low) ** clamp((360 * x - LEFT) / (RIGHT - LEFT), 0, 1)));
  slider.oninput = draw;
  set(1);
});

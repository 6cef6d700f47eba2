/* Chapter 3: images in the sample. */

begin('drag-sample_size', (root, {sizes, leading, angles, order, agreement, bank, colors}, find) => {
  const slider = find('[type=range]'), [reference, ...banks] = unpack(bank), draws = order[0].length;
  let shown = 0;

  function draw() {
    const i = +slider.value, size = sizes[i], angle = angles[i][shown], cosines = agreement[i][shown];
    const images = `${size} image${size === 1 ? '' : 's'}`;
    const sorted = [...cosines].sort((a, b) => a - b);
    const label = `${cosines.length} components of ${images}, each above its match: ` +
      `cosines from ${sorted[0].toFixed(2)} to ${sorted.at(-1).toFixed(2)}.`;
    drawPairs(find('.pairs'), label, banks[i * draws + shown], order[i][shown].map(at => reference[at]), cosines,
      bank.shape.slice(2), colors);
    const end = angle * Math.PI / 180;
    find('.dial').innerHTML = arc(10, 100, 45, angle) + arrow(10, 100, 90, 0, 'first') +
      arrow(10, 100, 90 * Math.cos(end), -90 * Math.sin(end), 'second') + word(60, 116, degrees(angle));
    find('.dial').setAttribute('aria-label', `An angle of ${degrees(angle)}`);
    find('output').textContent = images;
    slider.setAttribute('aria-valuetext', images);
    find('.summary').textContent = `${images}, sample ${shown + 1} of ${draws}: the spaces of the ${leading} leading ` +
      `components differ by at most ${degrees(angle)}; the median |cos| is ${sorted[sorted.length >> 1].toFixed(2)}.`;
  }

  slider.max = sizes.length - 1;
  slider.value = 0;
  slider.oninput = draw;
  find('.again').onclick = () => { shown = (shown + 1) % draws; draw(); };
  find('.again').hidden = draws === 1;
  draw();
});

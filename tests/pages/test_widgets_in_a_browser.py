"""The widgets as a reader has them: by mouse, finger and keyboard, in a real browser."""

import csv
import io
import re
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.cluster import KMeans

from companion.intervals import mean_interval
from companion.pages.widgets.lloyd import lloyd_html
from companion.pages.widgets.morph import morph_html
from companion.pages.widgets.rebuilt import rebuilt_html
from companion.pages.widgets.sample_size import sample_size_html
from companion.pages.widgets.starts import Start, starts_html
from companion.pages.widgets.three_seeds import three_seeds_html
from companion.pages.widgets.turn import turn_html
from companion.pages.widgets.window import window_html
from companion.pages.widgets.your_image import your_image_html
from patchinit.filters import principal_components, random_orthonormal
from patchinit.filters.matching import match, principal_angles
from patchinit.moments import patch_moments
from tests.browser import number
from tests.fragments import embedded, race_page, stored

STILL = "See above."
LEAD = mean_interval([1, 2, 4])


# --- The window -----------------------------------------------------------------------------------


@pytest.fixture
def window(generator):
    image = torch.randint(256, (3, 20, 24), dtype=torch.uint8, generator=generator)
    filters = {
        "one": torch.randn(3, 3, 3, generator=generator),
        "two": torch.randn(3, 3, 3, generator=generator),
    }
    return image, filters, window_html(image, filters, start=(5, 7), still=STILL)


def expected(image, weights, row, column):
    """What the summary should hold there, computed by other means."""
    pixels = image.double()[None] / 255
    response = torch.nn.functional.conv2d(pixels, weights.double()[None])[0, 0, row, column]
    patch = pixels[0, :, row : row + 3, column : column + 3]
    cosine = torch.nn.functional.cosine_similarity(patch.flatten(), weights.flatten().double(), 0)
    return response.item(), cosine.item()


def holds(browser, image, weights, row, column):
    text = browser.text(".summary")
    response, cosine = expected(image, weights, row, column)
    assert text.startswith(f"Row {row}, column {column}:"), text
    assert number(text, "response") == pytest.approx(response, abs=0.0051)
    assert number(text, "cosine") == pytest.approx(cosine, abs=0.0051)


def test_window_by_mouse_finger_and_keyboard(show, window):
    image, filters, page = window
    browser = show(page)
    holds(browser, image, filters["one"], 5, 7)
    browser.press(".image", "ArrowLeft", "ArrowLeft", "ArrowDown")
    holds(browser, image, filters["one"], 6, 5)
    places = [(7.5, 9.5), (12.5, 9.5), (22.5, 18.5)]
    points = [browser.place(".image", x / 24, y / 20) for x, y in places]
    browser.mouse(*points)
    holds(browser, image, filters["one"], 17, 21)
    browser.mouse(points[0])
    holds(browser, image, filters["one"], 8, 6)
    browser.touch(points[0], points[1])
    holds(browser, image, filters["one"], 8, 11)
    browser.mouse(browser.place(".map", 0.5 / 22, 17.5 / 18))
    holds(browser, image, filters["one"], 17, 0)
    browser.press(".image", "ArrowLeft", "ArrowDown")  # no further
    holds(browser, image, filters["one"], 17, 0)
    browser.press("select", "ArrowDown")
    holds(browser, image, filters["two"], 17, 0)


def test_window_shows_the_numbers(show, window):
    image, filters, page = window
    browser = show(page)
    shown = browser.run("[...document.querySelectorAll('.values span')].map(e => e.textContent)")
    patch = image[:, 5:8, 7:10] / 255
    wanted = torch.stack([patch, filters["one"], patch * filters["one"]], 1).flatten()
    values = [float(text.replace("\u2212", "-")) for text in shown]
    np.testing.assert_allclose(values, wanted, atol=0.0051)
    left = browser.run("document.querySelector('.image .frame').style.left")
    assert left == "29.1667%"


# --- Sample sizes ---------------------------------------------------------------------------------


def test_sample_sizes(show, generator):
    one, two, three = (
        random_orthonormal((9, 1, 3, 3), generator=generator).filters for _ in range(3)
    )
    page = sample_size_html(one, {1: [two, three], 10: [-one, two]}, leading=3, still=STILL)
    browser = show(page)
    angles = [principal_angles(bank[:3], one[:3])[0].item() for bank in (two, three)]
    assert number(browser.text(".summary"), "at most") == pytest.approx(angles[0], abs=0.6)
    browser.click(".again")
    assert number(browser.text(".summary"), "at most") == pytest.approx(angles[1], abs=0.6)
    browser.click(".again")
    browser.press("[type=range]", "ArrowRight")
    text = browser.text(".summary")
    assert text.startswith("10 images, sample 1 of 2") and number(text, "at most") == 0
    # The sample's components and their matches, turned to one sign, are the same pictures.
    drawn = browser.run(
        "[...document.querySelectorAll('.pairs div')].map(e =>"
        " [...e.querySelectorAll('canvas')].map(c => c.toDataURL()))"
    )
    assert len(drawn) == 9 and all(above == below for above, below in drawn)


# --- Lloyd ----------------------------------------------------------------------------------------


@pytest.fixture
def lloyd(generator):
    points = torch.randn(400, 2, generator=generator)
    page = lloyd_html(points, points[:4], still=STILL)
    data = embedded(page)
    values = stored(data["points"], "<i2").reshape(-1, 2) * data["step"]
    return values, np.array(data["start"]), page


def steps(points, centres, n):
    """Inertia per point at the start and after each of n steps."""
    course = []
    for _ in range(n + 1):
        distances = ((points[:, None] - centres) ** 2).sum(2)
        course.append(distances.min(1).mean())
        nearest = distances.argmin(1)
        centres = np.stack([points[nearest == j].mean(0) for j in range(len(centres))])
    return course


def test_lloyd_step_by_step(show, lloyd):
    points, start, page = lloyd
    browser = show(page)
    course = steps(points, start, 3)
    assert browser.run("document.querySelector('.back').disabled")
    for done, inertia in enumerate(course):
        text = browser.text(".summary")
        assert text.startswith(f"After {done} step")
        assert number(text, "per point") == pytest.approx(inertia, abs=0.00051)
        browser.click(".step")
    browser.click(".back")
    browser.click(".back")
    assert number(browser.text(".summary"), "per point") == pytest.approx(course[2], abs=0.00051)


def test_lloyd_until_rest(show, lloyd):
    points, start, page = lloyd
    browser = show(page)
    browser.click(".rest")
    text = browser.text(".summary")
    fitted = KMeans(4, init=start, n_init=1, max_iter=500, tol=0, algorithm="lloyd").fit(points)
    assert number(text, "per point") == pytest.approx(fitted.inertia_ / len(points), abs=0.00051)
    assert text.endswith("rest.") and browser.run("document.querySelector('.step').disabled")
    browser.click(".again")
    assert browser.text(".summary").startswith("After 0 steps")


def test_centres_are_moved_by_mouse_finger_and_keyboard(show, lloyd):
    points, start, page = lloyd
    browser = show(page)
    limit = 1.05 * np.abs(points).max()

    def at(x, y):
        return browser.place(".plane", (x / limit + 1) / 2, (1 - y / limit) / 2)

    def inertia():
        return number(browser.text(".summary"), "per point")

    # The plane has a border of a pixel, and a pixel is this wide.
    wide = 2 * limit / browser.run("document.querySelector('.plane').clientWidth")
    browser.mouse(at(*start[2]), at(0, 0), at(1.0, -1.5))
    centres = start.copy()
    centres[2] = 1.0, -1.5
    assert inertia() == pytest.approx(steps(points, centres, 0)[0], abs=8 * wide)
    assert abs(inertia() - steps(points, start, 0)[0]) > 8 * wide
    browser.touch(at(1.0, -1.5), at(*start[2]))
    assert inertia() == pytest.approx(steps(points, start, 0)[0], abs=8 * wide)
    # Away from the centres there is nothing to hold, and a finger scrolls the page.
    empty = max(
        ((x, y) for x in np.linspace(-0.9, 0.9, 19) for y in np.linspace(-0.9, 0.9, 19)),
        key=lambda p: np.hypot(*(np.array(p) * limit - start).T).min(),
    )
    show(page)
    before = inertia()
    browser.mouse(at(empty[0] * limit, empty[1] * limit), at(0, 0))
    assert inertia() == before
    browser.press(".plane", "4", "ArrowUp", "ArrowUp", "ArrowLeft")
    centres = start.copy()
    centres[3] += np.array([-1, 2]) * limit / 25
    assert inertia() == pytest.approx(steps(points, centres, 0)[0], abs=0.00051)


def test_a_thumb_passes_the_pads(show, lloyd, window):
    browser = show(
        "<p style='height: 700px'>Above.</p>" + lloyd[2] + window[2] + "<p style='height: 900px'>",
        width=390,
    )
    browser.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        for selector, point in ((".plane", (0.02, 0.95)), (".image", (0.95, 0.95))):
            x, y = browser.place(selector, *point)
            top = browser.run("scrollY")
            browser.touch(*((x, y - 20 * i) for i in range(10)))
            browser.until(f"scrollY > {top + 50}")
    finally:
        browser.call("Emulation.setTouchEmulationEnabled", enabled=False)
    held = "getComputedStyle(document.querySelector('%s')).touchAction"
    assert [browser.run(held % one) for one in (".grip", ".image .frame")] == ["none"] * 2


def test_sliders_are_high_enough_for_a_finger(show):
    browser = show(turn_html({"Glorot (0.45)": 0.45}, step=0.02))
    assert browser.run("document.querySelector('[type=range]').offsetHeight") >= 24


def test_another_number_of_centres(show, lloyd):
    browser = show(lloyd[2])
    browser.press("select", "ArrowDown", "ArrowDown", "ArrowDown")
    assert len(browser.run("[...document.querySelectorAll('circle')].map(c => c.id)")) == 7
    places = browser.run("[...document.querySelectorAll('circle')].map(c => c.outerHTML)")
    assert len(set(places)) == 7  # other points, all different


# --- Norm and angle -------------------------------------------------------------------------------


def test_angles_by_norm(show):
    browser = show(turn_html({"Glorot (0.45)": 0.45}, step=0.02))

    def angles():
        text = browser.text(".summary")
        under = re.search(r"by ([\d.]+)° under SGD and by ([\d.]+)° under Adam", text)
        return number(text, "norm"), *map(float, under.groups())

    assert angles() == (1.0, 1.1, 1.1)
    browser.click(".buttons button")
    at, sgd, adam = angles()
    assert at == pytest.approx(0.45, abs=0.006)
    # Twice the norm: a quarter of the angle, or half of it.
    assert sgd == pytest.approx(np.rad2deg(0.02) / 0.45**2, rel=0.03)
    assert adam == pytest.approx(np.rad2deg(0.02) / 0.45, rel=0.03)
    browser.press("[type=range]", "End")
    assert angles()[0] == 4.0
    browser.touch(browser.place(".turns", (18 + 78 * 2) / 360, 0.5))
    assert angles()[0] == pytest.approx(2, abs=0.03)
    browser.mouse(browser.place(".chart", 0.9, 0.5), browser.place(".chart", 46 / 360, 0.5))
    assert angles()[0] == pytest.approx(0.25, abs=0.01)


# --- A photograph of one's own --------------------------------------------------------------------


@pytest.fixture
def reference(generator):
    return random_orthonormal((27, 3, 3, 3), generator=generator).filters


def picture(path, generator, size=(40, 60), **options):
    """A smooth colour picture with a plain corner, written to a file; its pixels, (1, 3, H, W)."""
    coarse = torch.rand(1, 3, 12, 16, generator=generator)
    pixels = torch.nn.functional.interpolate(coarse, size=size, mode="bicubic").clamp(0, 1)
    pixels += 0.05 * torch.randn(pixels.shape, generator=generator)
    pixels = (255 * pixels.clamp(0, 1)).round().byte()
    pixels[..., :9, :9] = 200
    Image.fromarray(pixels[0].permute(1, 2, 0).numpy()).save(path, **options)
    return pixels


def choose(browser, path):
    browser.files("[type=file]", path)
    browser.until("document.querySelector('.summary').textContent.match(/^(?!Reading)./)")
    return browser.text(".summary")


def table(browser):
    """Shares of the variance and components, (F,) and (F, 27), as a reader would save them."""
    address = browser.run("document.querySelector('[download]').href")
    rows = list(csv.reader(io.StringIO(unquote(address.split(",", 1)[1]))))
    assert rows[0][:3] == ["share of the variance", "r00", "r01"] and rows[0][-1] == "b22"
    values = np.array(rows[1:], dtype=float)
    return values[:, 0], values[:, 1:]


def test_components_are_those_of_the_module(show, reference, tmp_path, generator):
    browser = show(your_image_html(reference))
    pixels = picture(tmp_path / "photo.png", generator)
    text = choose(browser, tmp_path / "photo.png")
    moments = patch_moments(pixels, 3)
    bank = principal_components(moments, 27)
    shares, filters = table(browser)
    np.testing.assert_allclose(shares, bank.explained, atol=1e-9)
    mine = torch.from_numpy(filters).reshape(27, 3, 3, 3)
    signs = (mine * bank.filters).flatten(1).sum(1).sign()
    np.testing.assert_allclose(mine, signs[:, None, None, None] * bank.filters, atol=1e-4)
    assert text.startswith("60 × 40 pixels, 2,204 patches")
    assert number(text, "patches,") == pytest.approx(100 * moments.constant_share, abs=0.051)
    # And they are held against the reference as the chapters do it.
    agreement = match(bank.filters, reference, signed=False)[1]
    shown = browser.run("[...document.querySelectorAll('.pairs span')].map(e => +e.textContent)")
    np.testing.assert_allclose(shown, agreement, atol=0.0052)
    angle = principal_angles(bank.filters[:7], reference[:7])[0].item()
    assert number(browser.text(".below"), "at most") == pytest.approx(angle, abs=0.6)


def test_a_real_image(show, real_data, tmp_path):
    from patchinit.data import load_images

    image = load_images("cifar10", root=real_data).images[7]
    path = tmp_path / "real.png"
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    bank = principal_components(patch_moments(image[None], 3), 27)
    browser = show(your_image_html(bank.filters))
    choose(browser, path)
    mine = torch.from_numpy(table(browser)[1]).reshape(27, 3, 3, 3)
    signs = (mine * bank.filters).flatten(1).sum(1).sign()
    np.testing.assert_allclose(mine, signs[:, None, None, None] * bank.filters, atol=1e-4)
    assert number(browser.text(".below"), "at most") < 0.1  # the image against itself


def test_a_large_photograph_is_scaled_down(show, reference, tmp_path, generator):
    browser = show(your_image_html(reference))
    picture(tmp_path / "large.jpg", generator, size=(700, 1400))
    assert choose(browser, tmp_path / "large.jpg").startswith("512 × 256 pixels, 129,540 patches")


def test_grey_pictures_have_nine_directions(show, reference, tmp_path, generator):
    browser = show(your_image_html(reference))
    picture(tmp_path / "colour.png", generator)
    grey = Image.open(tmp_path / "colour.png").convert("L")
    grey.save(tmp_path / "grey.png")
    assert "vary in 8 of 27 directions" in choose(browser, tmp_path / "grey.png")
    assert len(table(browser)[0]) == 8
    agreement = browser.run("[...document.querySelectorAll('.pairs span')].length")
    assert agreement == 8


def test_what_is_no_photograph(show, reference, tmp_path, generator):
    browser = show(your_image_html(reference))
    path = tmp_path / "words.png"
    path.write_text("no image")
    assert choose(browser, path).startswith("words.png is not an image")
    for color in ((9, 99, 199), (77, 77, 77)):  # only the patches of the second are constant
        Image.new("RGB", (30, 30), color).save(tmp_path / "plain.png")
        assert choose(browser, tmp_path / "plain.png").startswith("All patches of this image")
    Image.new("RGB", (2, 30)).save(tmp_path / "thin.png")
    assert "too small for a patch" in choose(browser, tmp_path / "thin.png")
    Image.new("RGB", (3000, 10)).save(tmp_path / "panorama.png")
    words = choose(browser, tmp_path / "panorama.png")
    assert "3000 × 10 pixels" in words and "once its longer side is scaled" in words
    assert browser.run("document.querySelector('[download]').hidden")


def test_the_same_file_is_read_anew(show, reference, tmp_path, generator):
    """The page asks for it: scale your photograph down in its file, and choose that again."""
    browser = show(your_image_html(reference))
    path = tmp_path / "photo.png"
    for size in ((60, 80), (30, 40), (30, 40)):  # the last time nothing has changed
        picture(path, generator, size)
        browser.run("document.querySelector('.summary').textContent = ''")
        assert choose(browser, path).startswith(f"{size[1]} × {size[0]} pixels")
        assert len(table(browser)[0]) == 27


def test_without_a_reference(show, tmp_path, generator):
    browser = show(your_image_html(None))
    picture(tmp_path / "photo.png", generator)
    choose(browser, tmp_path / "photo.png")
    assert table(browser)[1].shape == (27, 27) and browser.text(".below") == ""


def test_a_photograph_is_dropped(show, reference, tmp_path, generator):
    browser = show(your_image_html(reference))
    picture(tmp_path / "photo.png", generator)
    data = {"items": [], "files": [str(tmp_path / "photo.png")], "dragOperationsMask": 1}
    x, y = browser.place(".drop", 0.8, 0.5)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)
    browser.until("!document.querySelector('[download]').hidden")
    assert browser.text(".summary").startswith("60 × 40 pixels")


# --- Screens --------------------------------------------------------------------------------------

SMALLEST = """[...document.querySelectorAll('.app *')]
  .filter(e => [...e.childNodes].some(c => c.nodeType === 3 && c.textContent.trim()))
  .map(e => { const svg = e.closest('svg'), size = parseFloat(getComputedStyle(e).fontSize);
    return svg ? size * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : size; })
  .reduce((a, b) => Math.min(a, b))"""


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone(show, window, lloyd, reference, generator, dark):
    bank = {10: [reference]}
    image, points = window[0], torch.randn(2, 99, 27, generator=generator)
    pages = [
        window[2],
        lloyd[2],
        sample_size_html(reference, bank, leading=7, still=STILL),
        turn_html({"Glorot's filters (0.45)": 0.45, "components (1)": 1.0}),
        your_image_html(reference),
        race_page(),
        three_seeds_html({"cosine waves \u2212 Glorot": [1, 2, 3, 4]}),
        rebuilt_html(image, {"one": reference, "two": reference}, points[0], still=STILL),
        morph_html(reference, *points, still=STILL),
        starts_html([Start("a", (0, 3), torch.stack([reference] * 2), LEAD)], place="here"),
    ]
    for page in pages:
        browser = show(page, width=390, dark=dark)
        assert browser.run("document.documentElement.scrollWidth") <= 390
        assert browser.run(SMALLEST) >= 9
        ink = browser.run("getComputedStyle(document.querySelector('.summary')).color")
        assert ink == ("rgb(206, 214, 221)" if dark else "rgb(34, 40, 50)")


def test_two_on_a_page(show, window, lloyd):
    browser = show(window[2] + lloyd[2])
    assert browser.run("document.querySelectorAll('.drag .app:not([hidden])').length") == 2
    browser.click(".step")
    assert browser.text(".drag-lloyd .summary").startswith("After 1 step:")


def test_the_focus_is_seen(show, window):
    browser = show(window[2])
    for _ in range(2):  # past the menu, to the image
        key = {"key": "Tab", "code": "Tab", "windowsVirtualKeyCode": 9}
        browser.call("Input.dispatchKeyEvent", type="rawKeyDown", **key)
        browser.call("Input.dispatchKeyEvent", type="keyUp", **key)
    assert browser.run("document.activeElement.matches('.pad.image')")
    style = browser.run("getComputedStyle(document.activeElement).outlineWidth")
    assert style == "3px"

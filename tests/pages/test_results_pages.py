"""Pages that read results: the list of claims, what is made of it, and chapters 9 to 11."""

import ast
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from companion.claims import CLAIMS, OUTCOMES, WORDS
from companion.evidence.judge import verdicts
from companion.evidence.results import NoResults, read_runs
from companion.evidence.stages import read_stages, stages_to_show
from companion.pages import claim_glue
from companion.pages.extension import claim_cards, claims_page
from companion.pages.extension.kept_values import kept_in
from tests.chapters import execute
from tests.evidence import test_registered as worlds
from tests.synthetic import write_study

ROOT = Path(__file__).parents[2]
CHAPTERS = {int(path.stem[:2]): path for path in (ROOT / "notebooks").glob("*.ipynb")}

# --- The list of claims ---------------------------------------------------------------------------


def test_every_listed_claim_has_a_chapter_a_figure_and_a_table():
    tables = re.findall(r"{claims-cards} (\w+)", (ROOT / "book/claims.md").read_text())
    assert list(CLAIMS) == list(range(1, 36)) and len(set(tables)) == len(tables)
    assert {n for n, claim in CLAIMS.items() if claim.of_the_paper} == set(range(1, 31))
    assert {claim.group for claim in CLAIMS.values()} == set(tables)
    for claim in CLAIMS.values():
        assert len(claim.label.split()) in (range(2, 5) if claim.of_the_paper else (0,))
        labels = CHAPTERS[claim.chapter].read_text()
        assert claim.figure is None or f'"name": "{claim.figure}"' in labels, claim.number


def test_a_chapter_keeps_what_the_table_gives_to_it(monkeypatch):
    kept_values = {}
    monkeypatch.setattr(claim_glue, "glue_values", lambda **values: kept_values.update(values))
    found = verdicts({})
    for chapter, numbers in {
        9: {1, 2, 3, 4, 5, 6, 20, 24, 25, 27, 30, 31, 32, 33, 34, 35},
        10: {7, 8, 9, 10},
        11: {7, 8, 9},
    }.items():
        kept_values.clear()
        claim_glue.glue_claims(found, chapter)
        assert kept_values.keys() == {
            f"claim_{number}_{part}"
            for number in numbers
            for part in (
                "verdict", "where", "measured", "decided", "standing", "evidence", "needed",
                "record", *(["halves"] if number == 7 else []),
            )
        }  # fmt: skip
    without = [verdict for verdict in found if verdict.claim != "24"]
    with pytest.raises(ValueError, match="claims 24 have no verdict"):
        claim_glue.glue_claims(without, 9)


# --- What the build makes of it -------------------------------------------------------------------


def everything(verdict="undecided"):
    """What chapters keep if all of their claims have one verdict."""
    found = {}
    for number, claim in CLAIMS.items():
        of_chapter = found.setdefault(claim.chapter, {})
        of_chapter[number] = {"verdict": verdict, "evidence": "as seen"}
    return found


def test_the_build_knows_unlisted_missing_and_unknown_verdicts():
    found = everything()
    found[3][20] = {"verdict": "supported"}  # the untrained part; chapter 9 decides
    kept, problems = claim_cards.decided(CLAIMS, found)
    assert not problems and kept[20]["verdict"] == "undecided" and list(kept) == list(CLAIMS)
    found[4][99] = {"verdict": "supported"}
    del found[11][9]
    found[1][12]["verdict"] = "surely"
    assert claim_cards.decided(CLAIMS, found)[1] == [
        "chapter 4 keeps a verdict on claim 99, which is no claim",
        "chapter 11 keeps no verdict on claim 9, which it is to decide",
        "chapter 1 keeps 'surely' on claim 12, which is no verdict",
    ]


def test_what_is_kept_is_read_from_the_names():
    glued = {"claim_7_verdict": "'mixed'", "claim_7_where": "''", "n": "3", "claim_17_right": "'x'"}
    assert claim_cards.of_claims(glued) == {7: {"verdict": "mixed", "where": ""}}


def test_the_tally_counts_every_outcome_and_how_far_the_open_claims_are():
    found = everything()
    found[1][12]["verdict"], found[4][16]["verdict"] = "supported", "contradicted"
    found[6][19]["verdict"] = "supported"  # not by algebra, as 12 is
    found[9][1]["standing"], found[9][2]["standing"] = "declared", "begun"
    kept, _ = claim_cards.decided(CLAIMS, found)
    assert claim_cards.tally(CLAIMS, kept) == (
        "Of the paper’s 30 claims, in this build: 1 supported, 1 true by algebra, 1 contradicted, "
        "1 declared undecidable before the first run, 1 with runs under way and 25 left undecided "
        "by what was computed."
    )
    assert set(OUTCOMES) < set(WORDS)


def test_a_verdict_has_a_sentence_that_belongs_to_it():
    for claim in CLAIMS.values():
        assert claim.plain.keys() <= WORDS.keys(), claim.number
    assert CLAIMS[16].meaning("not supported") == CLAIMS[16].plain["not supported"]
    assert CLAIMS[16].meaning("supported") == WORDS["supported"].meaning
    assert CLAIMS[12].meaning("undecided") == WORDS["undecided"].meaning


def contrast_with_white(color):
    """WCAG 2's, for a colour in hexadecimal digits."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)


def test_a_badge_is_a_picture_with_a_text():
    for word, how in WORDS.items():
        image = ElementTree.fromstring(claim_cards.badge("7a", word, "(CIFAR-10; both)"))
        assert image.attrib["aria-label"] == f"claim 7a: {word} (CIFAR-10; both)"
        assert "CIFAR-10; both" in list(image.itertext())
        assert contrast_with_white(how.color) >= 4.5, word


def test_badges_on_pages_have_the_same_colours():
    css = (ROOT / "book/_static/book.css").read_text()
    for word, how in WORDS.items():
        rule = rf"\.{claim_cards.css_class(word)}[^{{}}]*{{\s*--verdict: (#\w+);"
        colours = {c if len(c) == 7 else "#" + "".join(2 * d for d in c[1:])
                   for c in re.findall(rule, css)}  # fmt: skip
        assert colours == {how.color}, word


def test_each_square_says_what_it_is_and_leads_to_its_card():
    kept, _ = claim_cards.decided(CLAIMS, everything())
    squares = ElementTree.fromstring(claim_cards.strip(CLAIMS, kept, "claims.html"))
    links = list(squares.iter("a"))
    by_number = {
        int(link.attrib["href"].removeprefix("claims.html#claim-")): link for link in links
    }
    assert sorted(by_number) == [n for n, claim in CLAIMS.items() if claim.of_the_paper]
    assert by_number[7].attrib["aria-label"] == f"Claim 7: undecided: {CLAIMS[7].statement}"
    assert "".join(by_number[7].itertext()) == f"7 ? {CLAIMS[7].label}"
    headed = [p.attrib["id"] for p in squares.iter("p")]
    assert [ul.attrib["aria-labelledby"] for ul in squares.iter("ul")] == headed
    kept[7]["halves"] = '{"7a": ["supported", "(here)"], "7b": ["undecided", ""]}'
    (link,) = ElementTree.fromstring(claim_cards.strip(CLAIMS, {7: kept[7]}, "c.html")).iter("a")
    assert "".join(link.itertext()).startswith("7 ✓? ")
    assert link.attrib["aria-label"].startswith("Claim 7: 7a supported, 7b undecided: ")


def test_claims_for_machines():
    found = everything()
    found[9][2] |= {"where": "(there)", "needed": "stage A", "record": '[{"n": 4}]'}
    kept, _ = claim_cards.decided(CLAIMS, found)
    entries = claim_cards.as_json(CLAIMS, kept, {n: path.stem for n, path in CHAPTERS.items()})
    assert [entry["number"] for entry in entries] == list(CLAIMS)
    assert all(entry["rule"] and entry["statement"] for entry in entries)
    assert entries[1]["verdicts"] == [{"n": 4}] and entries[1]["to_decide"] == "stage A"
    assert entries[1]["page"] == "notebooks/09-full-training-runs.html#fig-forest"
    json.dumps(entries, allow_nan=False)


def test_what_a_card_says():
    pages = {number: path.stem for number, path in CHAPTERS.items()}
    card = claims_page.body(CLAIMS[12], pages)
    assert "{numref}`fig-lengths` in {doc}`../notebooks/01-" in card
    assert "To decide" not in card and card.count("claim_12_evidence") == 1
    assert "claim_24_needed:s`." in claims_page.body(CLAIMS[24], pages)
    both = claims_page.body(CLAIMS[20], pages)
    assert both.index("fig-readout") < both.index("Untrained: ") < both.index("Trained: ")
    assert re.search(r"See\n: .*fig-readout.*/04-.*; .*/09-", both), "without training first"


# --- Chapters 9 to 11 -----------------------------------------------------------------------------

REGISTERED = ("anchor", "grid", "null", "anchor-cifar10")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """All stages where the claims hold, where they do not, and the beginnings of two of them."""
    folders = {name: tmp_path_factory.mktemp(name) for name in ("true", "false", "begun")}
    for name in ("true", "false"):
        ways = [getattr(worlds, f"{name}_{what}") for what in ("accuracy", "distance", "slowness")]
        for study in REGISTERED:
            write_study(folders[name], study, accuracy=ways[0], distance=ways[1], slowness=ways[2])
    write_study(folders["begun"], "anchor", seeds=range(1))
    write_study(folders["begun"], "grid", seeds=range(2), keep=lambda s: s.dataset == "cifar10")
    for study in ("paper-small", "norms-small", "frozen-small"):
        write_study(folders["begun"], study)
    return {name: folder / "results" for name, folder in folders.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("world", ["true", "false", "begun"])
@pytest.mark.parametrize("number", [9, 10, 11, 12])
def test_pages_follow_the_results(number, world, results, ready):
    """On stand-in images: pages build, with the verdicts of the data."""
    executed = execute(ready, CHAPTERS[number], results=str(results[world]))
    kept_values = {name: str(value).strip("'\"") for name, value in kept_in(executed).items()}
    verdict = {name[:-8]: value for name, value in kept_values.items() if name.endswith("_verdict")}
    decided = {"true": {"supported"}, "false": {"contradicted", "not supported"}, "begun": set()}
    undecidable = {f"claim_{n}" for n in (1, 3, 5, 24, 25, *range(31, 36))}
    for claim in verdict.keys() - undecidable - {"claim_11", "claim_26", "claim_28"}:
        assert verdict[claim] in decided[world] | ({"undecided"} if world == "begun" else set())
    assert all(verdict[claim] == "undecided" for claim in undecidable & verdict.keys())
    if number == 9:
        assert kept_values["progress"].startswith("21 of 21" if world != "begun" else "5 of 21")
        assert kept_values["look"].startswith(
            "Decided" if world != "begun" else "The first look is due"
        )
        needed = {"true": "nothing for", "false": "nothing for", "begun": "more seeds"}
        assert kept_values["claim_1_needed"].startswith(needed[world])
        record = json.loads(kept_values["claim_2_record"])
        assert record[0]["state"] == ("decided" if world != "begun" else "interim")
    if number == 10:  # the images of the runs are not there, but their records have what they need
        assert kept_values["n_recomputed"] == kept_values["n_component_runs"]
        unlike = "There are no registered runs on both" if world == "begun" else "Of 16 effects"
        assert kept_values["claim_11_evidence"].startswith(unlike)
    if number == 11:
        assert ("no such runs" in kept_values["null_reading"]) == (world == "begun")
        assert kept_values["slope_sgd_pc"] == "(no runs yet)" or world == "begun"
        found = {"true": "6 of 6", "false": "0 of 6", "begun": "6 of 6"}
        assert f"by the cosine, {found[world]} choices" in kept_values["spec_sentence"]
        length = {"true": "length does not", "false": "there is nothing", "begun": "there is"}
        assert kept_values["not_all"].startswith(length[world])
        scored = {"true": "wrong", "false": "in part", "begun": "open"}
        assert kept_values["prediction_1_is"] == scored[world]


def arguments_of(function, chapter):
    """How many arguments each call of a function has in a chapter's code."""
    cells = json.loads(CHAPTERS[chapter].read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [
        len(node.args)
        for node in ast.walk(ast.parse("\n".join(code)))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == function
    ]


def test_every_page_on_claims_7_and_8_reads_them_by_responses_too():
    """Else one page would say that the two measures disagree, and another would not."""
    telling_them = {page for n in (7, 8) for page in (CLAIMS[n].chapter, *CLAIMS[n].also)}
    assert telling_them == {10, 11}
    assert {n: arguments_of("verdicts", n) for n in telling_them} == {10: [2], 11: [2]}
    assert arguments_of("verdicts", 9) == [1], "chapter 9 needs no images"


def test_without_any_runs_the_way_out_is_named(tmp_path):
    write_study(tmp_path, "anchor", seeds=range(1), keep=lambda s: s.method == "kmeans")
    folder = tmp_path / "results"
    with pytest.raises(
        NoResults, match="no runs of components and Glorot .* python -m companion run grid"
    ):
        stages_to_show(read_stages(folder), folder)


def test_runs_are_described(tmp_path):
    folder = write_study(tmp_path, "paper-small", seeds=range(3)).parent
    write_study(tmp_path, "grid", seeds=range(1), keep=lambda s: s.dataset == "cifar10")
    box = claim_glue.runs_box(stages_to_show(read_stages(folder), folder)).data
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", box)][1:]
    assert rows[0] == ["CIFAR-10", "30", "all", "B", "11 of 46", "1", "interim"]
    assert rows[1][1:] == ["15", "5,000", "none", "15", "3", "reduced, decides nothing"]
    assert "a machine that is not" in box


def test_every_decided_verdict_on_the_books_runs_was_written_down():
    """The table of looks: a verdict that was decided has its line, by claim and stage."""
    looks = (ROOT / "results/looks.csv").read_text()
    for verdict in verdicts({name: read_runs(name) for name in read_stages()}):
        if verdict.state == "decided" and verdict.dataset != "both":
            line = f"claim {verdict.claim}, stage {verdict.stage}, {verdict.dataset}"
            assert line in looks, f"write down the look at {line} in results/looks.csv"

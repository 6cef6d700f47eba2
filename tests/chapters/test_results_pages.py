"""Pages that read results: the list of claims, the words, and chapters 8 to 10."""

import importlib.util
import re
from pathlib import Path

import papermill
import pytest

from patchinit.chapters import telling
from patchinit.chapters.claim_list import NoClaims, read_claims
from patchinit.chapters.words import describe, evidence, needed
from patchinit.evidence.arms import Of
from patchinit.evidence.claims.findings import findings
from patchinit.evidence.claims.rules import OPEN, Effect, Finding
from patchinit.evidence.intervals import Interval
from patchinit.evidence.results import read_runs
from patchinit.experiments.studies import STUDIES
from tests.synthetic import write_study
from tools.execute import kernel_settings
from tools.portable import glued

ROOT = Path(__file__).parents[2]
CHAPTERS = {int(path.stem[:2]): path for path in (ROOT / "notebooks").glob("*.ipynb")}
CLAIMS = read_claims(ROOT / "book/claims.yml")
ON_RUNS = [number for number, claim in CLAIMS.items() if claim.rests_on_runs]


@pytest.fixture(scope="module")
def book_claims():
    """The Sphinx extension of that name."""
    spec = importlib.util.spec_from_file_location("book_claims", ROOT / "book/_ext/book_claims.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- The list of claims ---------------------------------------------------------------------------


def test_every_listed_claim_has_a_chapter_a_figure_and_a_table():
    tables = re.findall(r"{claims-table} (\w+)", (ROOT / "book/claims.md").read_text())
    assert list(CLAIMS) == sorted(CLAIMS) and len(set(tables)) == len(tables)
    assert {claim.group for claim in CLAIMS.values()} == set(tables)
    for claim in CLAIMS.values():
        labels = CHAPTERS[claim.chapter].read_text()
        assert claim.figure is None or f'"name": "{claim.figure}"' in labels, claim.number
        for study in re.findall(r"\w+", (claim.study or "").replace(" and ", " ")):
            assert study in STUDIES, claim.number


def test_every_listed_claim_on_runs_has_a_rule_and_words():
    found = findings(None)
    assert list(found) == ON_RUNS
    assert {evidence(finding) for finding in found.values()} == {"no runs yet"}


def test_a_list_that_is_not_there_or_has_another_field(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoClaims, match="no book/claims.yml in .* or above it; clone"):
        read_claims()
    (tmp_path / "claims.yml").write_text("7:\n  statement: it holds\n  colour: red\n")
    with pytest.raises(ValueError, match=r"claims.yml: claim 7: .*'colour'"):
        read_claims(tmp_path / "claims.yml")


def test_a_chapter_tells_what_the_list_gives_to_it(monkeypatch):
    said = {}
    monkeypatch.setattr(telling, "say", lambda **values: said.update(values))
    found = findings(None)
    for chapter, numbers in {
        8: {1, 2, 3, 4, 5, 6, 20, 24, 25},
        9: {7, 8, 9, 10, 11, 26},
        10: {7, 8, 9},
    }.items():
        said.clear()
        telling.tell(found, chapter)
        assert said.keys() == {
            f"claim_{number}_{part}"
            for number in numbers
            for part in ("verdict", "reading", "evidence", "needed")
        }
    with pytest.raises(ValueError, match="claims 99 have findings and are not in book/claims.yml"):
        telling.tell(found | {99: Finding(99, OPEN, reduced=False)}, 8)
    del found[24]
    with pytest.raises(ValueError, match="claims 24 are in book/claims.yml and have no finding"):
        telling.tell(found, 8)


def test_the_build_knows_unlisted_and_undecided_claims(book_claims):
    found = {}
    for number, claim in CLAIMS.items():
        found.setdefault(claim.chapter, {})[number] = "undecided"
    found[3][20] = "supported"  # the untrained part; chapter 8 decides
    verdicts, problems = book_claims.decided(CLAIMS, found)
    assert not problems and verdicts[20] == "undecided" and list(verdicts) == list(CLAIMS)
    assert book_claims.tally(verdicts).startswith(f"**Of {len(CLAIMS)} claims, 0 supported, 0 not")
    found[4][99] = "supported"
    del found[10][7]
    assert book_claims.decided(CLAIMS, found)[1] == [
        "chapter 4 keeps a verdict on claim 99, which is not in claims.yml",
        "chapter 10 keeps no verdict on claim 7, which claims.yml gives to it",
    ]


def test_rows_of_the_page(book_claims):
    pages = {number: path.stem for number, path in CHAPTERS.items()}
    row = book_claims.row(CLAIMS[12], pages)
    assert row.startswith(f"* - 12\n  - {CLAIMS[12].statement}\n  - {{glue:text}}`../notebooks/01-")
    assert "{numref}`fig-lengths` in {doc}`chapter 1 <../notebooks/01-" in row
    assert "To decide" not in row and row.count("claim_12_evidence") == 1
    assert book_claims.row(CLAIMS[24], pages).endswith("claim_24_needed:s`.\n")
    both = book_claims.row(CLAIMS[20], pages)
    assert both.index("Untrained: ") < both.index("03-principal") < both.index("Trained: ")


# --- Words ----------------------------------------------------------------------------------------


def finding(claim, *effects, **values):
    return Finding(claim, OPEN, reduced=False, effects=effects, **values)


def effect(estimate, low, high, *, dataset="cifar10", method="kmeans", **values):
    arms = ((Of(method), Of("glorot_uniform")),)
    return Effect("made up", dataset, Interval(estimate, low, high, 3), "", arms, **values)


@pytest.mark.parametrize(
    "found, text",
    [
        (
            finding(
                3,
                effect(-0.27, -0.94, 0.41, paper=-0.34),
                effect(0.01, -0.1, 0.1, dataset="fashion_mnist", equivalent=True),
            ),
            "k-means minus Glorot on CIFAR-10: −0.27 [−0.94, +0.41] pp, n = 3 (paper −0.34); "
            "k-means minus Glorot on Fashion-MNIST: +0.01 [−0.10, +0.10] pp, n = 3 "
            "(paper not reported), within ±0.2 pp",
        ),
        (
            finding(6, effect(0.4, -2.7, 3.5, epochs=50), effect(0, -2.5, 2.5)),
            "components minus Glorot on CIFAR-10: mean accuracy of the first 50 epochs "
            "+0.40 [−2.70, +3.50] pp, epochs to nine tenths of Glorot's accuracy "
            "+0.0 [−2.5, +2.5], n = 3",
        ),
        (
            finding(7, effect(12, 8, 19), effect(9, 4, 17)),
            "CIFAR-10: Glorot's filters turn 12.00 [8.00, 19.00] times as far as components, "
            "9.00 [4.00, 17.00] as k-means, no runs at equal norms (n = 3)",
        ),
        (
            finding(9, effect(3.4, 1.7, 5.1)),
            "CIFAR-10: never trained, components end +3.40 [+1.70, +5.10] pp "
            "from random orthonormal filters (n = 3)",
        ),
        (
            finding(9, parts={7: [OPEN], 8: [OPEN]}),
            "rests on claims 7 and 8; no frozen runs yet",
        ),
        (
            finding(11, parts={7: ["supported", OPEN], 8: ["supported", "supported"]}),
            "claim 7: supported and undecided; claim 8: supported",
        ),
        (
            finding(25, effect(5, 4, 6)),
            "components minus Glorot, mean of 1, 5 and 10 % of the labels on CIFAR-10: "
            "+5.00 [+4.00, +6.00] pp, n = 3",
        ),
        (
            finding(26, effect(-3, -4, -2), effect(-1, -2, 0, method="kmedoids")),
            "waves in a trained filter minus Glorot's on CIFAR-10: k-means −3.0 [−4.0, −2.0], "
            "k-medoids −1.0 [−2.0, +0.0], n = 3",
        ),
    ],
)
def test_sentences(found, text):
    assert evidence(found) == text


def test_what_would_decide_a_claim():
    one = effect(0, -1, 1)
    assert needed(finding(1, one), "paper") == "more seeds (patchinit run paper --seeds 10)"
    assert needed(finding(1, one, n_seeds=1234), "paper") == "about 1,234 seeds an arm"
    assert needed(finding(1), "layers") == "full runs (patchinit run layers)"
    assert needed(Finding(1, "supported", reduced=False), "paper") == "decided"


def test_runs_are_described(tmp_path):
    folder = write_study(
        tmp_path, "paper-small", seeds=range(3), keep=lambda settings: settings.method == "kmeans"
    )
    runs = read_runs("paper-small", folder=folder.parent)
    text = describe(runs)
    assert text.startswith(
        "Reduced runs (paper-small): 6 of 30 runs, 3 seeds, 15 epochs of 5,000 training images"
    )
    assert text.endswith("made on a machine that is not.")
    box = telling.show(runs).data
    assert "admonition" in box and text in box and "no verdict is drawn from them" in box


# --- Chapters 8 to 10 -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def opposite_results(tmp_path_factory):
    """Full results of the paper study that bear its first claim out, and ones that refute it."""
    folders = {}
    for outcome, lead in (("supported", 1.0), ("not supported", -1.0)):
        root = tmp_path_factory.mktemp(outcome.replace(" ", "-"))
        write_study(
            root, "paper", seeds=range(4),
            accuracy=lambda dataset, of, lead=lead: 80 + lead * (of == Of("principal_components")),
        )  # fmt: skip
        folders[outcome] = root / "results"
    return folders


# As little as each chapter can do with: its start and its figures then take most of the time.
SMALL = {9: {"n_patch_images": 20}, 10: {"n_train": 32, "epochs": 1, "width": 4}}


def run_chapter(number, results, folder, **parameters):
    return papermill.execute_notebook(
        CHAPTERS[number],
        None,
        parameters=SMALL.get(number, {}) | {"results": str(results)} | parameters,
        cwd=ROOT,
        progress_bar=False,
        config=kernel_settings(str(folder)),
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("outcome", ["supported", "not supported"])
@pytest.mark.parametrize("number", [8, 9, 10])
def test_pages_follow_the_results(number, outcome, opposite_results, tmp_path, monkeypatch):
    """Full runs, other data, no norm-matched runs: pages build, with the verdicts of the data."""
    monkeypatch.setenv("PATCHINIT_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    executed = run_chapter(number, opposite_results[outcome], tmp_path)
    said = {name: value.strip("'\"") for name, value in glued(executed).items()}
    assert said["kind"] == "full"
    if number == 8:
        assert said["claim_1_verdict"] == said["claim_2_verdict"] == outcome
        assert said["claim_1_needed"] == "decided" and (
            "−" in said["claim_1_evidence"].split("[")[0]
        ) == (outcome != "supported")
        assert said["conclusion"] == "that is the verdict"
    if number == 9:  # the images of the runs are not there, but their records have what they need
        assert said["n_recomputed"] == said["n_component_runs"] == "8"
    if number == 10:
        assert said["equal"] == "(no runs yet)" and said["claim_9_verdict"] != "supported"
        assert said["lost_kmeans"] == said["ahead"] == "no runs yet"

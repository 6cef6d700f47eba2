"""A proper minus in the numbers that a page takes from a chapter by the role `glue`."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from ..typography import proper_minus


class MinusSigns(SphinxPostTransform):
    """Goes through the numbers of a page once MyST-NB has put them there."""

    default_priority = 900

    def run(self, **kwargs):
        for pasted in self.document.findall(nodes.inline):
            if "pasted-text" in pasted["classes"]:
                text = proper_minus(pasted.astext())
                if text != pasted.astext():
                    pasted.children = [nodes.Text(text)]


def setup(app):
    app.add_post_transform(MinusSigns)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

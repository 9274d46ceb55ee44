"""The page as one HTML text: nothing is loaded from anywhere, and only our own script may run."""

import base64
import hashlib
import json
from dataclasses import asdict
from functools import cache
from importlib.resources import files

from medpipe.reporting.page.model import Page

_FOLDER = "medpipe.reporting.page"


def render(page: Page) -> str:
    """HTML of a page.

    Every text is escaped by the template. A content security policy allows no request at all, pictures only as data
    URIs, and no script but ours, which it names by its hash (W3C, Content Security Policy Level 3, section 2.3.1): a
    text that slipped through could not run.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(_FOLDER, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    script = _read("viewer.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return environment.get_template("page.html.jinja").render(
        page=page,
        scans=[asdict(scan) for scan in page.viewer.scans] if page.viewer else [],
        provenance=json.dumps(dict(page.provenance), indent=2, default=str, ensure_ascii=False),
        style=_read("page.css"),
        script=script,
        script_hash=f"sha256-{digest}",
    )


@cache
def _read(name: str) -> str:
    return files(_FOLDER).joinpath(name).read_text(encoding="utf-8")

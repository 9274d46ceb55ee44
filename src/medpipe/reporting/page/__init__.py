"""One self-contained HTML page: tiles, tables, figures, galleries and a slice viewer that works offline."""

from medpipe.reporting.page.images import figure_uri, jpeg_uri
from medpipe.reporting.page.model import (
    Block,
    Card,
    Cell,
    Figure,
    Gallery,
    Jump,
    Page,
    Picture,
    Section,
    Table,
    Tile,
    Viewer,
    ViewerMark,
    ViewerScan,
)
from medpipe.reporting.page.numbers import decimal, interval, number
from medpipe.reporting.page.render import render

__all__ = [
    "Block",
    "Card",
    "Cell",
    "Figure",
    "Gallery",
    "Jump",
    "Page",
    "Picture",
    "Section",
    "Table",
    "Tile",
    "Viewer",
    "ViewerMark",
    "ViewerScan",
    "decimal",
    "figure_uri",
    "interval",
    "jpeg_uri",
    "number",
    "render",
]

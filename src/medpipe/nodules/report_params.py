"""Parameters of the HTML report."""

from pydantic import Field, PositiveFloat, PositiveInt

from medpipe.core.params import Params


class ReportParams(Params):
    """The HTML report.

    Attributes:
        gallery_size: Most hits, misses and false alarms shown, each.
        gallery_picture_px: Edge of a gallery picture in pixels.
        viewer_scans: Scans in the slice viewer; 0 leaves it out.
        viewer_budget_mb: Size of all slices in the viewer, in the page; a scan that needs more than its share shows
            every second slice, every third and so on.
        viewer_edge_px: Longest edge of a slice in the viewer; larger ones are scaled down.
        jpeg_quality: Of all scan pictures.
    """

    gallery_size: PositiveInt = 12
    gallery_picture_px: PositiveInt = 160
    viewer_scans: int = Field(4, ge=0)
    viewer_budget_mb: PositiveFloat = 10.0
    viewer_edge_px: PositiveInt = 384
    jpeg_quality: int = Field(72, ge=1, le=95)

"""Pictures as data URIs (RFC 2397), so that they travel inside the page."""

import base64
import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURE_DPI = 130


def jpeg_uri(image: npt.NDArray[np.uint8], quality: int, size: tuple[int, int] | None = None) -> str:
    """A grey picture as JPEG.

    Args:
        image: Rows x columns.
        quality: 1 to 95.
        size: Columns x rows to scale to (bicubic); None keeps the picture's.
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(image, dtype=np.uint8))
    if size is not None and size != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality, optimize=True)
    return _uri("image/jpeg", buffer.getvalue())


def figure_uri(figure: "Figure") -> str:
    """A matplotlib figure as PNG, with its own background."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=FIGURE_DPI, facecolor="auto")
    return _uri("image/png", buffer.getvalue())


def _uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"

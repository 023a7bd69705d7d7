"""A short silent film out of an image card, by ffmpeg where the machine has it."""

from __future__ import annotations

import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

PATIENCE = 40.0
"""Seconds that ffmpeg may take."""
FRAME = "scale=1080:1920:force_original_aspect_ratio=decrease,pad=1080:1920:(ow-iw)/2:(oh-ih)/2,setsar=1,format=yuv420p"


def can() -> bool:
    """Whether this machine can make films."""
    return shutil.which("ffmpeg") is not None


def made(jpeg: bytes, seconds: int, *, patience: float = PATIENCE) -> bytes | None:
    """An MP4 (H.264, 1080 × 1920, 5 pictures a second, no sound) that shows ``jpeg`` for so long.

    None without ffmpeg, and where it fails or takes longer than ``patience`` seconds.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None or not jpeg.startswith(b"\xff\xd8\xff"):
        return None  # over what is no picture, ffmpeg would loop without end
    with tempfile.TemporaryDirectory(prefix="belfry-clip-") as folder:
        card, film = Path(folder) / "card.jpg", Path(folder) / "clip.mp4"
        card.write_bytes(jpeg)
        command = [
            *(ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-y"),
            *("-f", "image2", "-loop", "1", "-framerate", "5", "-i", str(card), "-t", str(seconds)),
            *("-vf", FRAME, "-c:v", "libx264", "-preset", "veryfast", "-tune", "stillimage", "-crf", "20"),
            *("-an", "-map_metadata", "-1", "-movflags", "+faststart", "-f", "mp4", str(film)),
        ]
        try:
            done = subprocess.run(command, capture_output=True, timeout=patience, check=False)
        except (subprocess.TimeoutExpired, OSError) as error:
            log.warning("no clip: ffmpeg: %s", type(error).__name__)
            return None
        if done.returncode != 0 or not film.is_file() or not film.stat().st_size:
            log.warning(
                "no clip: ffmpeg ended with %s: %s", done.returncode, done.stderr[-300:].decode(errors="replace")
            )
            return None
        return film.read_bytes()

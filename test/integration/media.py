# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoded media: what the media tests look at is the raw picture and the raw sound."""
import array
import math
import os

from sluice import check

WIDTH, HEIGHT = 160, 90
FRAME_BYTES = WIDTH * HEIGHT  # grey, one byte a pixel
RATE = 48000
TONE_HZ = 440


def frames_n(path):
    return os.path.getsize(path) // FRAME_BYTES if os.path.exists(path) else 0


def frames(path):
    with open(path, "rb") as file:
        data = file.read()
    return [data[at:at + FRAME_BYTES]
            for at in range(0, len(data) - FRAME_BYTES + 1, FRAME_BYTES)]


def deviation(frame):
    mean = sum(frame) / len(frame)
    return math.sqrt(sum((pixel - mean) ** 2 for pixel in frame) / len(frame))


def check_picture(path, at_least):
    """Enough frames, the last one is no plain surface, and the picture moves."""
    pictures = frames(path)
    check(len(pictures) >= at_least, f"{len(pictures)} decoded frames instead of {at_least}")
    spread = deviation(pictures[-1])
    check(spread > 20, f"the picture is blank: standard deviation {spread:.1f}")
    changed = sum(abs(a - b) > 8 for a, b in zip(pictures[0], pictures[-1]))
    check(changed > 50, f"the picture stands still: {changed} pixels differ")
    return len(pictures)


def samples_n(path):
    return os.path.getsize(path) // 2 if os.path.exists(path) else 0


def tone_share(samples):
    """The share of the signal's power that is the published tone (Goertzel's filter)."""
    step = 2 * math.pi * TONE_HZ / RATE
    power = sum(float(sample) * sample for sample in samples)
    if power == 0:
        return 0.0
    turn, one, two = 2 * math.cos(step), 0.0, 0.0
    for sample in samples:
        one, two = sample + turn * one - two, one
    tone = one * one + two * two - turn * one * two
    return 2 * tone / (len(samples) * power)


def check_sound(path, at_least):
    """Enough samples, and the last second is the tone that was published."""
    check(samples_n(path) >= at_least, f"{samples_n(path)} decoded samples instead of {at_least}")
    with open(path, "rb") as file:
        data = file.read()
    samples = array.array("h", data[:len(data) // 2 * 2])
    last = samples[-RATE // 2:]
    share = tone_share(last)
    check(share > 0.5, f"the sound is another: {share:.2f} of its power is the tone")
    return len(samples)

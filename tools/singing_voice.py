"""A voice that sings syllables, for the demo piece: a glottal source with breath, a cascade of formants, and noise for consonants.

The source is Klatt and Klatt's polynomial flow (1990), a cascade of resonators as Klatt's (1980) follows it, and the vowels stand where
Peterson and Barney (1952) measured them in men. Standard library only.
"""
import array
import math
import random

STEP = 32                       # samples from one setting of the filters to the next

# Formants in Hz: the first three. Those above stay where they are, one for every kilohertz, as in a tube.
VOWELS = {
    "ee": (270, 2290, 3010), "ih": (390, 1990, 2550), "eh": (530, 1840, 2480), "ae": (660, 1720, 2410), "ah": (730, 1090, 2440),
    "aw": (570, 840, 2410), "oo": (300, 870, 2240), "uh": (640, 1190, 2390), "er": (490, 1350, 1690)}
UPPER = (3300, 4000, *range(5000, 15001, 1000))
BANDWIDTHS = (70, 90, 130, 200, 250, *range(300, 1301, 100))
# Consonants: seconds, formants or None for those of the vowel, loudness of the voice, loudness of the noise, its middle and width in Hz.
CONSONANTS = {
    "m": (0.075, (250, 1100, 2200), 0.30, 0, 0, 1), "n": (0.065, (250, 1500, 2500), 0.30, 0, 0, 1),
    "l": (0.065, (360, 1100, 2700), 0.50, 0, 0, 1), "r": (0.065, (330, 1060, 1500), 0.50, 0, 0, 1),
    "w": (0.065, (290, 620, 2200), 0.45, 0, 0, 1), "y": (0.060, (260, 2200, 3000), 0.45, 0, 0, 1),
    "v": (0.060, (250, 1100, 2300), 0.25, 0.06, 5500, 5000), "ng": (0.070, (250, 2000, 2700), 0.30, 0, 0, 1),
    "b": (0.060, (220, 900, 2200), 0.12, 0.10, 900, 900), "d": (0.055, (220, 1600, 2600), 0.12, 0.25, 3800, 2000),
    "g": (0.060, (220, 1900, 2400), 0.12, 0.20, 2200, 1200),
    "t": (0.075, None, 0, 0.45, 4800, 2600), "k": (0.080, None, 0, 0.40, 2400, 1200), "p": (0.075, None, 0, 0.25, 1200, 1500),
    "s": (0.110, None, 0, 0.40, 6800, 2600), "sh": (0.110, None, 0, 0.45, 3300, 1800), "f": (0.090, None, 0, 0.18, 5500, 5000),
    "th": (0.060, (300, 1300, 2500), 0.25, 0.08, 5500, 5000), "h": (0.070, None, 0, 0.22, 1600, 2600)}
STOPS = {"b", "d", "g", "t", "k", "p"}       # silent until the last third


class Resonator:
    """Two poles at a frequency; of unit gain at zero Hz, or at that frequency."""

    def __init__(self):
        self.a, self.b, self.c, self.last, self.before = 1.0, 0.0, 0.0, 0.0, 0.0

    def tune(self, hz, bandwidth, rate, at_peak=False):
        radius, angle = math.exp(-math.pi * bandwidth / rate), 2 * math.pi * hz / rate
        self.c = -radius * radius
        self.b = 2 * radius * math.cos(angle)
        self.a = (1 + self.c) * math.sin(angle) if at_peak else 1 - self.b - self.c

    def run(self, samples):
        a, b, c, last, before = self.a, self.b, self.c, self.last, self.before
        out = []
        for x in samples:
            y = a * x + b * last + c * before
            before, last = last, y
            out.append(y)
        self.last, self.before = last, before
        return out


def smoothed(track, steps):
    """A running mean, twice: corners become slopes."""
    for _ in range(2):
        total = track[0] * steps
        window = [track[0]] * steps
        out = []
        for i, value in enumerate(track):
            total += value - window[i % steps]
            window[i % steps] = value
            out.append(total / steps)
        track = out[steps // 2:] + [out[-1]] * (steps // 2)
    return track


class Score:
    """What the voice does, at every step."""

    def __init__(self, seconds, rate):
        self.per_second = rate / STEP
        self.steps = math.ceil(seconds * self.per_second)
        self.pitch = [220.0] * self.steps
        self.voice, self.noise = [0.0] * self.steps, [0.0] * self.steps
        self.noise_hz, self.noise_width = [2000.0] * self.steps, [1000.0] * self.steps
        self.formants = [[float(hz)] * self.steps for hz in VOWELS["uh"]]

    def span(self, start, end):
        return range(max(0, round(start * self.per_second)), min(self.steps, round(end * self.per_second)))

    def mouth(self, start, end, formants, voice=None):
        for i in self.span(start, end):
            for track, hz in zip(self.formants, formants):
                track[i] = hz
            if voice is not None:
                self.voice[i] = voice

    def hiss(self, start, end, loudness, hz, width):
        for i in self.span(start, end):
            self.noise[i] = loudness
        for i in self.span(start - 0.02, end + 0.02):           # where the loudness comes and goes, too
            self.noise_hz[i], self.noise_width[i] = hz, width

    def syllable(self, start, end, key, loudness, text):
        """text: consonants, one or two vowels and consonants, as "d-r-uh-m-s" or "n-ah-oo". The first vowel begins at start, what comes
        before it earlier; a second takes the end."""
        sounds = text.split("-")
        places = [i for i, sound in enumerate(sounds) if sound in VOWELS]
        before, after = sounds[:places[0]], sounds[places[-1] + 1:]
        lead, tail = (sum(CONSONANTS[sound][0] for sound in part) for part in (before, after))
        hz = 440 * 2 ** ((key - 69) / 12)
        length = end - start
        for i in self.span(start - lead, end):
            t = i / self.per_second - start
            scoop = -0.6 * max(0, 1 - max(t, 0) / 0.12) if length > 0.35 else 0
            depth = 0.35 * min(1, max(0, (t - 0.25) / 0.4))
            self.pitch[i] = hz * 2 ** ((scoop + depth * math.sin(2 * math.pi * 5.6 * t)) / 12)
            swell = 0.82 + 0.18 * math.sin(math.pi * min(1, max(0, t / length)))
            self.voice[i] = loudness * swell
        first, last = VOWELS[sounds[places[0]]], VOWELS[sounds[places[-1]]]
        self.mouth(start - lead, end, first)
        self.mouth(end - tail - min(0.15, 0.4 * length), end, last)
        for part, now, vowel in ((before, start - lead, first), (after, end - tail, last)):
            for sound in part:
                now = self.consonant(sound, now, vowel, loudness)

    def consonant(self, sound, start, vowel, loudness):
        seconds, formants, voice, noise, hz, width = CONSONANTS[sound]
        self.mouth(start, start + seconds, formants or vowel, voice * loudness)
        if noise > 0:
            self.hiss(start + (0.66 * seconds if sound in STOPS else 0), start + seconds, noise * loudness, hz, width)
        return start + seconds

    def breath(self, start, end):
        self.hiss(start, end, 0.035, 2200, 2500)


def sing(score, rate, seed):
    """The samples of the voice, as floats of no particular level."""
    chance = random.Random(seed)
    formants = [smoothed(track, 40) for track in score.formants]
    voice, noise = smoothed(score.voice, 18), smoothed(score.noise, 8)
    pitch = smoothed(score.pitch, 45)
    cascade = [Resonator() for _ in BANDWIDTHS]
    fricative = [Resonator(), Resonator()]
    out = array.array("d")
    phase, tilt, drift = 0.0, 0.0, 0.0
    for i in range(score.steps):
        drift = 0.995 * drift + chance.gauss(0, 0.0006)         # no one holds a pitch exactly
        advance = pitch[i] * (1 + drift) / rate
        loud = voice[i]
        opening = 0.62 - 0.1 * loud                             # louder: shorter pulses
        soft = 0.25 + 0.25 * (1 - loud)                         # and brighter
        source = []
        for _ in range(STEP):
            phase += advance
            if phase >= 1:
                phase -= 1
            open_phase = phase / opening
            if open_phase < 1:
                flow = 2 * open_phase - 3 * open_phase * open_phase
                air = open_phase * (1 - open_phase)
            else:
                flow = air = 0.0
            tilt = soft * tilt + (1 - soft) * flow
            source.append(loud * (tilt + chance.gauss(0, 0.06) * (0.15 + air)))
        for k, resonator in enumerate(cascade):
            resonator.tune(formants[k][i] if k < 3 else UPPER[k - 3], BANDWIDTHS[k], rate)
            source = resonator.run(source)
        if noise[i] > 1e-4:
            hiss = [chance.gauss(0, 0.35) * noise[i] for _ in range(STEP)]
            for resonator in fricative:
                resonator.tune(score.noise_hz[i], score.noise_width[i], rate, at_peak=True)
                hiss = resonator.run(hiss)
            source = [s + h for s, h in zip(source, hiss)]
        out.extend(source)
    return out

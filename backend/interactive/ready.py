"""Labelling configs that work at once when they are pasted into a project: one for each kind of interactive help.

`smart` is true on every control unless it says otherwise, so controls that answers are drawn with say
`smart="false"`: their own tools stay what they are. Hotkeys choose labels; Alt with a click says what
is not the object. On images the smart tool is to be chosen, the magenta one: `smartonly` only takes the ordinary away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.errors import InvalidRequest


@dataclass(frozen=True)
class ReadyConfig:
    """`purpose` is one sentence for people; `data` a task's data to try it with."""

    purpose: str
    xml: str
    data: Mapping[str, Any]


_IMAGE = {"image": "https://example.com/street.jpg"}
_NAMES = """
    <Label value="Person" background="#b45309" hotkey="1"/>
    <Label value="Place" background="#0d9488" hotkey="2"/>
    <Label value="Company" background="#6d28d9" hotkey="3"/>"""


def _masks(output: str) -> str:
    return f"""<View>
  <Image name="image" value="$image" zoom="true"/>
  <KeyPointLabels name="click" toName="image" smart="true" smartonly="true">
    <Label value="Person" background="#0d9488" hotkey="1"/>
    <Label value="Car" background="#b45309" hotkey="2"/>
  </KeyPointLabels>
  <{output} name="mask" toName="image" smart="false">
    <Label value="Person" background="#0d9488"/>
    <Label value="Car" background="#b45309"/>
  </{output}>
</View>"""


READY: Mapping[str, ReadyConfig] = {
    "masks": ReadyConfig(
        "A click paints the object under it; a click with Alt takes away.", _masks("BrushLabels"), _IMAGE
    ),
    "bitmasks": ReadyConfig("The same with bitmaps.", _masks("BitmaskLabels"), _IMAGE),
    "polygons": ReadyConfig("A click outlines the object under it.", _masks("PolygonLabels"), _IMAGE),
    "box-to-mask": ReadyConfig(
        "A box paints the object in it.",
        """<View>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="box" toName="image" smart="true" smartonly="true" prelabel_smart="mask">
    <Label value="Person" background="#0d9488" hotkey="1"/>
    <Label value="Car" background="#b45309" hotkey="2"/>
  </RectangleLabels>
  <BrushLabels name="mask" toName="image" smart="false">
    <Label value="Person" background="#0d9488"/>
    <Label value="Car" background="#b45309"/>
  </BrushLabels>
</View>""",
        _IMAGE,
    ),
    "similar-boxes": ReadyConfig(
        "One box, and the objects like it are proposed.",
        """<View>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="box" toName="image" smart="true" prelabel_smart="similar">
    <Label value="Car" background="#b45309" hotkey="1"/>
    <Label value="Sign" background="#0d9488" hotkey="2"/>
  </RectangleLabels>
</View>""",
        _IMAGE,
    ),
    "tight-boxes": ReadyConfig(
        "A loose box snaps to its object.",
        """<View>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="box" toName="image" smart="true" prelabel_smart="tighten">
    <Label value="Car" background="#b45309" hotkey="1"/>
    <Label value="Sign" background="#0d9488" hotkey="2"/>
  </RectangleLabels>
</View>""",
        _IMAGE,
    ),
    "points": ReadyConfig(
        "A box around a person gets the person's points.",
        """<View>
  <Image name="image" value="$image" zoom="true"/>
  <RectangleLabels name="person" toName="image" smart="true" prelabel_smart="points">
    <Label value="Person" background="#0d9488" hotkey="1"/>
  </RectangleLabels>
  <KeyPointLabels name="point" toName="image" smart="false">
    <Label value="Nose" background="#b45309"/>
    <Label value="Left shoulder"/><Label value="Right shoulder"/>
    <Label value="Left elbow"/><Label value="Right elbow"/>
    <Label value="Left wrist"/><Label value="Right wrist"/>
    <Label value="Left hip"/><Label value="Right hip"/>
    <Label value="Left knee"/><Label value="Right knee"/>
    <Label value="Left ankle"/><Label value="Right ankle"/>
  </KeyPointLabels>
  <Choices name="visibility" toName="image" perRegion="true" whenTagName="point">
    <Choice value="Visible"/><Choice value="Occluded"/>
  </Choices>
</View>""",
        _IMAGE,
    ),
    "spans": ReadyConfig(
        "A marked span, and the same and similar ones in the document are marked.",
        f"""<View>
  <Labels name="entity" toName="text" smart="true">{_NAMES}
  </Labels>
  <Text name="text" value="$text"/>
</View>""",
        {"text": "Ada met Charles in London. Later Ada left London."},
    ),
    "page-spans": ReadyConfig(
        "The same in a page of HTML.",
        f"""<View>
  <HyperTextLabels name="entity" toName="page" smart="true">{_NAMES}
  </HyperTextLabels>
  <HyperText name="page" value="$html"/>
</View>""",
        {"html": "<h3>Ada</h3><p>Ada met <b>Charles</b> in London.</p><p>Later she left London.</p>"},
    ),
    "dialogue-spans": ReadyConfig(
        "The same in a dialogue.",
        f"""<View>
  <ParagraphLabels name="entity" toName="turns" smart="true">{_NAMES}
  </ParagraphLabels>
  <Paragraphs name="turns" value="$turns" layout="dialogue" nameKey="author" textKey="text"/>
</View>""",
        {
            "turns": [
                {"author": "Ada", "text": "Is Charles in London?"},
                {"author": "Grace", "text": "Charles left London."},
            ]
        },
    ),
    "captions": ReadyConfig(
        "A caption that is begun goes on as the project's model or earlier captions do.",
        """<View>
  <Image name="image" value="$image" zoom="true"/>
  <TextArea name="caption" toName="image" smart="true" editable="true" maxSubmissions="1"
            placeholder="Begin a caption, and press Enter; ? asks for one"/>
</View>""",
        _IMAGE,
    ),
    "better-captions": ReadyConfig(
        "The same; below a finished caption another one is proposed.",
        """<View>
  <Image name="image" value="$image" zoom="true"/>
  <TextArea name="caption" toName="image" smart="true" editable="true" prelabel_smart="improve"
            placeholder="Write a caption, and press Enter; ? asks for one"/>
</View>""",
        _IMAGE,
    ),
}


def ready(name: str) -> ReadyConfig:
    """Raises `InvalidRequest`, with the names there are."""
    if name not in READY:
        raise InvalidRequest(f'There is no config "{name}". Ask for one of: {", ".join(READY)}.')
    return READY[name]

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import pytest

from backend.errors import InvalidConfig
from backend.labelstudio.config import Control, Label, LabellingConfig, parse_config


def config(inside: str, attributes: str = "", value: str = 'value="$text"', tag: str = "Text") -> str:
    """A config with one object and one `Choices` that holds `inside`."""
    return (
        f'<View><{tag} name="object" {value}/>'
        f'<Choices name="topic" toName="object" {attributes}>{inside}</Choices></View>'
    )


TWO = '<Choice value="A"/><Choice value="B"/>'


def only(xml: str) -> Control:
    (control,) = parse_config(xml).controls
    return control


def skipped(xml: str) -> str:
    """The sentence for the one control that a config, trainable otherwise, has skipped."""
    good = '<Choices name="good" toName="good_object"><Choice value="A"/></Choices>'
    parsed = parse_config(f'<View><Text name="good_object" value="$good"/>{good}{xml}</View>')
    assert [control.name for control in parsed.controls] == ["good"]
    (sentence,) = parsed.skipped
    return sentence


class TestControls:
    def test_text(self) -> None:
        assert only(config(TWO)) == Control(
            name="topic",
            tag="Choices",
            to_name="object",
            object_tag="Text",
            data_key="text",
            labels=(Label("A"), Label("B")),
            attributes={"name": "topic", "toname": "object"},
            object_attributes={"name": "object", "value": "$text"},
        )

    def test_an_image_is_fetched_and_a_text_only_as_url(self) -> None:
        assert only(config(TWO, tag="Image")).fetched
        assert only(config(TWO, value='value="$text" valueType="url"')).fetched
        assert not only(config(TWO, value='value="$text" valueType="text"')).fetched

    @pytest.mark.parametrize(("choice", "multiple"), [("multiple", True), ("single", False), ("single-radio", False)])
    def test_multiple(self, choice: str, multiple: bool) -> None:
        assert only(config(TWO, f'choice="{choice}"')).multiple is multiple

    def test_tags_in_lower_case_are_the_same(self) -> None:
        control = only(config(TWO).replace("Choice", "choice").replace("Text", "text"))
        assert (control.tag, control.object_tag, control.label_names) == ("Choices", "Text", ("A", "B"))

    def test_several_controls_keep_their_order(self) -> None:
        parsed = parse_config(
            '<View><Choices name="b" toName="i"><Choice value="1"/></Choices><Image name="i" value="$image"/>'
            '<Text name="t" value="$text"/><Choices name="a" toName="t"><Choice value="2"/></Choices></View>'
        )
        assert [(control.name, control.data_key) for control in parsed.controls] == [("b", "image"), ("a", "text")]
        assert parsed.control("a") == parsed.controls[1]
        assert parsed.control("c") is None

    def test_a_config_is_parsed_once(self) -> None:
        assert parse_config(config(TWO)) is parse_config(config(TWO))


class TestLabels:
    def test_label_studio_stores_the_alias(self) -> None:
        label = only(
            config('<Choice value="Cat" alias="c" hint="a pet" predicted_values="tabby, tiger cat,"/>')
        ).labels[0]
        assert label == Label("Cat", "c", "a pet", ("tabby", "tiger cat"))
        assert label.name == "c"
        assert label.descriptions == ("Cat", "c", "a pet", "tabby", "tiger cat")

    def test_labels_inside_layout_count_and_those_inside_labels_do_not(self) -> None:
        inside = '<View><Header value="x"/><Choice value="A"><Choice value="A1"/></Choice></View><Choice value="B"/>'
        assert only(config(inside)).label_names == ("A", "B")

    def test_repeated_and_empty_labels_are_left_out(self) -> None:
        inside = '<Choice value="A"/><Choice value="A" hint="again"/><Choice value=""/><Choice html="x"/>'
        assert only(config(inside)).labels == (Label("A"),)

    @pytest.mark.parametrize("name", ['"quoted" & <tagged>', "it's", "😀 émoji", "x" * 10_000, "$5 off", "a, b"])
    def test_unusual_names(self, name: str) -> None:
        xml = config(f"<Choice value={quoteattr(name)}/><Choice value='other'/>")
        assert only(xml).label_names == (name, "other")
        assert parse_config(xml).validate(prediction([name])) == []

    def test_predicted_values_map_in_any_case(self) -> None:
        control = only(config('<Choice value="Vehicle" predicted_values="Car,TRUCK"/><Choice value="car"/>'))
        assert control.label_of("truck") == "Vehicle"
        assert control.label_of("CAR") == "Vehicle"
        assert control.label_of("car") == "car"
        assert control.label_of("vehicle") == "Vehicle"
        assert control.label_of("boat") is None


class TestSettings:
    def test_score_threshold(self) -> None:
        assert only(config(TWO)).score_threshold is None
        assert only(config(TWO, 'model_score_threshold="0.25"')).score_threshold == 0.25

    @pytest.mark.parametrize("value", ["high", "1.5", "-1", "nan", ""])
    def test_a_threshold_that_is_none(self, value: str) -> None:
        with pytest.raises(InvalidConfig, match=f'model_score_threshold of Choices "topic": got "{value}", wanted'):
            parse_config(config(TWO, f'model_score_threshold="{value}"'))

    def test_model(self) -> None:
        assert only(config(TWO)).model is None
        assert only(config(TWO, 'prelabel_model="a/b.v1"')).model == "a/b.v1"

    def test_model_path_is_a_file_name(self) -> None:
        assert only(config(TWO, 'model_path="my model-1.safetensors"')).model_path == "my model-1.safetensors"

    @pytest.mark.parametrize(
        "value", ["../x.pt", "/etc/passwd", "a/b.pt", "a\\b.pt", "C:x.pt", "..", ".", "", " ", "~", "http://a/b", "a;b"]
    )
    def test_a_model_path_that_is_a_path_is_refused(self, value: str) -> None:
        with pytest.raises(InvalidConfig, match="without any folder"):
            parse_config(config(TWO, f'model_path="{value}"'))


class TestSkipped:
    @pytest.mark.parametrize(
        ("xml", "sentence"),
        [
            (
                '<Text name="o" value="$t"/><Number name="c" toName="o"/>',
                'Number "c" is skipped: there is no model for Number yet.',
            ),
            (
                '<Audio name="o" value="$t"/><Choices name="c" toName="o"><Choice value="A"/></Choices>',
                "there is no model for Choices on Audio yet.",
            ),
            (
                '<Video name="o" value="$t"/><Choices name="c" toName="o"><Choice value="A"/></Choices>',
                "there is no model for Choices on Video yet.",
            ),
            (
                '<Choices name="c" toName="gone"><Choice value="A"/></Choices>',
                'its toName is "gone", and no object has that name.',
            ),
            (
                '<Choices name="c" toName="good_object,o"><Choice value="A"/></Choices>',
                "it labels several objects at once",
            ),
            (
                '<HyperText name="o" value="$h"/><Rating name="c" toName="o" perRegion="true"/>',
                "no control that can be learnt marks those.",
            ),
            (
                '<Image name="o" value="$i"/><Rating name="c" toName="o" perRegion="true"/>',
                "no control that can be learnt marks those.",
            ),
            (
                '<Image name="o" value="$i"/><TextArea name="c" toName="o" perRegion="true"/>',
                "TextArea about single regions (perRegion) of Image cannot be learnt yet.",
            ),
            ('<Choices name="c" toName="good_object" value="$options"/>', "its labels come from each task's data"),
            (
                '<Choices name="c" toName="good_object"><Choice value="$option"/></Choices>',
                "its labels come from each task's data",
            ),
            (
                '<Choices name="c" toName="good_object" allowNested="true"><Choice value="A"/></Choices>',
                "nested choices (allowNested)",
            ),
            ('<Choices name="c" toName="good_object"/>', "it has no labels"),
            (
                '<Text name="o" value="Dear $name"/><Choices name="c" toName="o"><Choice value="A"/></Choices>',
                'its Text has the value "Dear $name"',
            ),
            (
                '<Image name="o" valueList="$t"/><Choices name="c" toName="o"><Choice value="A"/></Choices>',
                "its Image has a valueList",
            ),
            (
                '<Text name="o" value="$t" encoding="base64"/><Choices name="c" toName="o"/>',
                "encoded text",
            ),
            (
                '<Text name="o_{{idx}}" value="$t[{{idx}}]"/><Choices name="c_{{idx}}" toName="o_{{idx}}"/>',
                "inside a Repeater",
            ),
        ],
    )
    def test_what_cannot_be_learnt_yet_is_said(self, xml: str, sentence: str) -> None:
        assert sentence in skipped(xml)

    def test_a_filter_is_no_control(self) -> None:
        xml = config(TWO).replace("<Choices", '<Filter name="f" toName="topic"/><Choices')
        assert parse_config(xml).skipped == ()


class TestBadConfigs:
    @pytest.mark.parametrize(
        "xml", ["", "   ", "no xml", "<View>", "<View></Viev>", "{}", "<View>&nope;</View>", "\0", "\ud800"]
    )
    def test_what_is_no_xml(self, xml: str) -> None:
        with pytest.raises(InvalidConfig, match=r"is (not XML|empty).*<View>") as caught:
            parse_config(xml)
        assert len(str(caught.value)) < 400

    @pytest.mark.parametrize("xml", ["<View/>", '<View><Text name="t" value="$t"/></View>', config("")])
    def test_nothing_to_learn(self, xml: str) -> None:
        with pytest.raises(InvalidConfig, match=r"nothing that can be learnt\. .* This would do: <View>"):
            parse_config(xml)

    def test_entities_are_not_expanded(self) -> None:
        lines = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        bomb = f'<!DOCTYPE View [<!ENTITY l0 "lol">{lines}]><View>&l9;</View>'
        with pytest.raises(InvalidConfig, match="declares a DTD"):
            parse_config(bomb)

    def test_files_are_not_read(self) -> None:
        with pytest.raises(InvalidConfig, match="declares a DTD"):
            parse_config('<!DOCTYPE View [<!ENTITY x SYSTEM "file:///etc/passwd">]><View>&x;</View>')

    def test_bounds(self) -> None:
        with pytest.raises(InvalidConfig, match="more than 200 deep"):
            parse_config("<View>" * 300 + "</View>" * 300)
        with pytest.raises(InvalidConfig, match="at most 5000000 are read"):
            parse_config("<View>" + " " * 5_000_000 + "</View>")

    def test_names_must_differ(self) -> None:
        control = '<Choices name="topic" toName="object"><Choice value="A"/></Choices>'
        with pytest.raises(InvalidConfig, match='Two controls are called "topic"'):
            parse_config(config(TWO).replace("</View>", control + "</View>"))

    def test_an_encoding_declaration_does_no_harm(self) -> None:
        parsed = parse_config('<?xml version="1.0" encoding="utf-16"?>\n' + config(TWO))
        assert parsed.validate(prediction(["A"])) == []


def prediction(choices: list[str], **changes: object) -> dict[str, object]:
    """What the backend would send for one `Choices`."""
    region = {"from_name": "topic", "to_name": "object", "type": "choices", "value": {"choices": choices}}
    return {"score": 0.5, "result": [{**region, **changes}]}


class TestValidate:
    parsed: LabellingConfig = parse_config(config('<Choice value="A"/><Choice value="B" alias="b"/>'))

    @pytest.mark.parametrize("choices", [["A"], ["b"]])
    def test_what_label_studio_takes(self, choices: list[str]) -> None:
        assert self.parsed.validate(prediction(choices)) == []

    @pytest.mark.parametrize(
        "bad",
        [
            prediction(["B"]),
            prediction(["A"], from_name="gone"),
            prediction(["A"], to_name="gone"),
            prediction(["A"], type="rating"),
            prediction(["A"], value={}),
            {**prediction(["A"]), "score": 1.5},
            {"score": 0.5},
        ],
    )
    def test_what_it_refuses(self, bad: dict[str, object]) -> None:
        assert self.parsed.validate(bad) != []


def boxes(tag: str = "RectangleLabels", inside: str = '<Label value="Car"/>', more: str = "") -> str:
    """A config with one `RectangleLabels` (or another tag) on an image."""
    return f'<View><Image name="image" value="$image"/><{tag} name="box" toName="image">{inside}</{tag}>{more}</View>'


NAMES = '<Labels name="what" toName="image"><Label value="Car" alias="c"/></Labels>'


class TestBoxes:
    def test_labels_with_alias_and_predicted_values(self) -> None:
        found = only(boxes(inside='<Label value="Car" alias="c" predicted_values="car, truck"/><Label value="Dog"/>'))
        assert found.labels == (Label("Car", "c", predicted_values=("car", "truck")), Label("Dog"))
        assert (found.tag, found.fetched, found.labels_name) == ("RectangleLabels", True, None)
        assert found.label_of("TRUCK") == "c"

    def test_a_shape_is_named_by_the_labels_on_the_same_object(self) -> None:
        parsed = parse_config(boxes("Rectangle", "", NAMES))
        (found,) = parsed.controls
        assert (found.name, found.labels_name, found.label_names) == ("box", "what", ("c",))
        assert [found.owns(name) for name in ("box", "what", "other", None)] == [True, True, False, False]
        assert parsed.skipped == ()

    def test_a_control_with_labels_of_its_own_owns_its_regions_alone(self) -> None:
        assert [only(boxes()).owns(name) for name in ("box", "what", None)] == [True, False, False]

    def test_further_labels_on_the_object_are_skipped(self) -> None:
        more = NAMES + '<Labels name="colour" toName="image"><Label value="red"/></Labels>'
        parsed = parse_config(boxes("Rectangle", "", more))
        assert [control.labels_name for control in parsed.controls] == ["what"]
        assert parsed.skipped == ('Labels "colour" is skipped: there is no model for Labels on Image yet.',)

    @pytest.mark.parametrize(
        ("xml", "reason"),
        [
            ('<Rectangle name="r" toName="good_object"/>', "there is no model for Rectangle on Text yet."),
            (
                '<Image name="i" value="$i"/><Rectangle name="r" toName="i"/>',
                'no Labels name its shapes. Add <Labels name="label" toName="i"> with some.',
            ),
            (
                '<Image name="i" value="$i"/><RectangleLabels name="r" toName="i"/>',
                'it has no labels. Add some, such as <Label value="A"/> inside <RectangleLabels>.',
            ),
            (
                '<Image name="i" value="$i"/><RectangleLabels name="r" toName="i" value="$labels"/>',
                "its labels come from each task's data, and only labels written into the config can be learnt yet.",
            ),
            (
                '<Image name="i" valueList="$i"/><Rectangle name="r" toName="i"/><Labels name="l" toName="i"/>',
                'its Image has a valueList, and only a single variable such as "$text" can be read yet.',
            ),
        ],
    )
    def test_what_cannot_be_learnt_is_skipped_with_a_reason(self, xml: str, reason: str) -> None:
        assert skipped(xml).endswith(f"is skipped: {reason}")

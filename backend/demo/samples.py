"""Sample projects made on the spot, without a download: handwritten digits, and support tickets."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from dataclasses import dataclass

IMAGES = 300
TICKETS = 400
SIZE = 160
"""Width and height of an image, in pixels."""
SEED = 2

DIGITS_CONFIG = """<View>
  <Header value="Which digit is this?"/>
  <Image name="image" value="$image" zoom="false" maxWidth="240px"/>
  <Choices name="digit" toName="image" choice="single" showInline="true">
{choices}
  </Choices>
</View>""".format(choices="\n".join(f'    <Choice value="{digit}" hotkey="{digit}"/>' for digit in range(10)))

TICKETS_CONFIG = """<View>
  <Header value="What is this ticket about?"/>
  <Text name="text" value="$text"/>
  <Choices name="topic" toName="text" choice="single" showInline="true">
    <Choice value="Billing" hint="invoices, payments, refunds and prices"/>
    <Choice value="Delivery" hint="parcels, shipping and where an order is"/>
    <Choice value="Account" hint="passwords, logging in and personal data"/>
    <Choice value="Technical problem" hint="errors, crashes and things that do not work"/>
    <Choice value="Praise" hint="thanks and compliments"/>
  </Choices>
</View>"""


@dataclass(frozen=True)
class Ticket:
    """A generated message and what it is about: the topic is for tests, people are to label it themselves."""

    text: str
    topic: str


@dataclass(frozen=True)
class DigitImage:
    """A PNG file of one handwritten digit."""

    name: str
    png: bytes
    digit: int


def digits(count: int = IMAGES) -> Iterator[DigitImage]:
    """`count` of scikit-learn's 1,797 handwritten digits, dark on light and enlarged; always the same ones."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    chosen = random.Random(SEED).sample(range(len(data.target)), count)
    for number, index in enumerate(chosen):
        pixels = np.uint8(255 - data.images[index] * (255 / 16))
        picture = Image.fromarray(pixels).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        yield DigitImage(f"digit-{number:03}.png", buffer.getvalue(), int(data.target[index]))


def tickets(count: int = TICKETS) -> Iterator[Ticket]:
    """`count` support tickets, no two alike, topics in equal shares and mixed; always the same ones."""
    chance = random.Random(SEED)
    seen: set[str] = set()
    topics = list(_SENTENCES)
    while len(seen) < count:
        topic = topics[len(seen) % len(topics)]
        parts = [chance.choice(_OPENINGS), chance.choice(_SENTENCES[topic]), chance.choice(_CLOSINGS)]
        text = " ".join(part for part in parts if part).format(
            product=chance.choice(_PRODUCTS),
            number=chance.randint(10_000, 99_999),
            days=chance.randint(2, 14),
            amount=chance.randint(5, 250),
            month=chance.choice(_MONTHS),
        )
        if text not in seen:
            seen.add(text)
            yield Ticket(text, topic)


_OPENINGS = ("Hello,", "Hi there,", "Good morning.", "Dear team,", "", "", "Quick question:", "To whom it may concern:")
_CLOSINGS = (
    "Please get back to me.",
    "Thanks in advance!",
    "Kind regards, Sam",
    "I'd be glad of an answer today.",
    "",
    "",
    "Best, Alex",
    "My customer number is {number}.",
)
_PRODUCTS = ("kettle", "headphones", "desk lamp", "backpack", "keyboard", "coffee grinder", "rain jacket", "router")
_MONTHS = ("January", "March", "April", "June", "September", "November")
_SENTENCES: dict[str, tuple[str, ...]] = {
    "Billing": (
        "I was charged {amount} euros twice for the {product}.",
        "the invoice for {month} shows {amount} euros, but the {product} was on offer.",
        "when will I get my refund of {amount} euros for the {product}?",
        "my card was debited although I cancelled the {product} in {month}.",
        "could you send me the receipt for order {number} over {amount} euros?",
        "the discount code for the {product} was not taken off my bill.",
        "can I pay for the {product} in instalments of {amount} euros?",
    ),
    "Delivery": (
        "my {product} was due {days} days ago and the parcel has not arrived.",
        "tracking for order {number} has said 'in transit' for {days} days.",
        "the courier left the {product} with a neighbour I cannot find.",
        "can you ship the {product} to my office instead? Order {number}.",
        "the box arrived open and the {product} was missing.",
        "how long does delivery of the {product} take in {month}?",
        "part of order {number} is missing, only the {product} came.",
    ),
    "Account": (
        "I cannot log in since {month}, the password mail never comes.",
        "please change the e-mail address of account {number}.",
        "how do I delete my profile and all my personal data?",
        "somebody else seems to have signed in to my account {number}.",
        "my two-factor code is refused every time I sign in.",
        "I moved house, where do I update my address and telephone number?",
        "my user name {number} was locked after {days} attempts.",
    ),
    "Technical problem": (
        "the {product} stops working after {days} minutes and blinks red.",
        "your app crashes whenever I open the page of the {product}.",
        "the {product} does not switch on any more, not even with the cable.",
        "I get error {number} when I try to pair the {product}.",
        "since the update in {month} the {product} loses its settings.",
        "the website shows a blank page when I search for a {product}.",
        "the {product} makes a loud noise and gets very hot.",
    ),
    "Praise": (
        "I just wanted to say that the {product} is wonderful.",
        "your colleague solved my problem in {days} minutes, great service!",
        "best {product} I have ever had, thank you so much.",
        "the {product} from {month} still works perfectly, well done.",
        "what a friendly team, I recommend you to everybody.",
        "the {product} was a present and made my daughter very happy.",
        "five stars for the {product}, I love it.",
    ),
}

"""Voices and sentences of the demo corpus, written for it, under the same licence as wavecast."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Voice:
    """A speaker: eSpeak's voice name, words per minute, pitch and its range (both 0 to 100)."""

    name: str
    speed: int
    pitch: int
    pitch_range: int

    @property
    def folder(self) -> str:
        """Where its recordings lie below the corpus."""
        return self.name.replace("+", "-")


VOICES = (
    Voice("en-us", 165, 50, 50),
    Voice("en-us+f2", 175, 55, 60),
    Voice("en-us+f3", 160, 62, 45),
    Voice("en-us+m2", 150, 40, 55),
    Voice("en-us+m5", 170, 46, 40),
    Voice("en", 158, 44, 50),
    Voice("en+f4", 180, 58, 55),
    Voice("en+m3", 148, 36, 60),
    Voice("en-us+steph", 168, 52, 65),
    Voice("de", 155, 48, 50),
    Voice("de+f5", 165, 60, 55),
    Voice("de+m7", 145, 38, 45),
)

ENGLISH = (
    "The kettle began to sing before the rain had reached the kitchen window.",
    "Somebody left a radio playing softly in the empty house next door.",
    "A train passed under the bridge, and every cup on the shelf answered it.",
    "We counted slowly until the thunder came.",
    "Fresh snow makes a street so quiet that you can hear your own coat, and the neighbours' stairs.",
    "My neighbour repairs clocks, but none of them agree about the time.",
    "The old floor creaks in three places, and the cat knows all of them.",
    "Please close the gate behind you, or the geese will follow you home.",
    "Wind from the west smells of salt long before the sea comes into view.",
    "He whistles two notes when he is happy, and only one when he is not.",
    "There is half a loaf on the table and plenty of honey in the jar.",
    "The bus was late, so we walked along the river, past the mill and the empty boats.",
    "A wooden spoon against an iron pot is the first drum that I remember.",
    "Fog covered the harbour, and the ships spoke to each other with long, low horns.",
    "Turn left at the bakery, then follow the smell of coffee to the square.",
    "Nobody had tuned the piano for years.",
    "Two pigeons argue on the roof each morning at a quarter past six.",
    "The washing dried in an hour, because the air was warm and full of wind.",
    "When the power failed, the whole street sounded different.",
    "I keep a small umbrella in the car and a large one by the door.",
    "The choir practised the same four bars until the windows hummed.",
    "Rain on a tin roof ends any conversation, so we sat and watched it run down the gutters.",
    "Her bicycle bell is bright and short, like a spoon touching a glass.",
    "By noon the ice on the pond had started to crack and groan.",
    "The market opens early, and the fish seller shouts the loudest.",
    "Could you hold this ladder while I change the bulb?",
    "Far away a dog barked twice, and then the valley was silent again.",
    "Our clock strikes nine when it means eight, and we have grown used to it.",
    "Apples fell in the orchard all night with a soft and hollow knock.",
    "The tailor hums while she sews, and stops only to thread the needle.",
    "Tomorrow will be cloudy, with a little sunshine in the afternoon and showers after dark.",
    "He dropped a coin into the well and listened.",
    "Dry leaves ran along the pavement as if they were late for work.",
    "The soup needs more pepper, a pinch of salt, and another ten minutes.",
    "A bee flew in, looked at every flower on the curtain, and left.",
    "In the evening the swallows fly low, and somebody says that it will rain.",
)

GERMAN = (
    "Der Regen klopft ans Fenster, und in der Küche kocht das Wasser.",
    "Am Morgen hört man zuerst die Amsel und dann den Bus.",
    "Der alte Boden knarrt, sobald jemand über den Flur geht.",
    "Heute bleibt es trocken, aber der Wind wird am Abend stärker, und in der Nacht kann es regnen.",
    "Im Keller summt eine Lampe, die niemand ausschalten will.",
    "Unsere Nachbarin spielt sonntags Klavier.",
    "Zwischen Blitz und Donner haben wir bis sieben gezählt.",
    "Auf dem Markt gibt es frisches Brot, Äpfel und süßen Honig.",
    "Wenn frischer Schnee liegt, klingt die ganze Straße leiser.",
    "Der Zug fährt über die Brücke, und die Gläser im Schrank klirren.",
    "Bitte mach die Tür zu, sonst läuft die Katze wieder hinaus.",
    "Hinter dem Haus rauscht ein kleiner Bach durch die Wiese.",
)

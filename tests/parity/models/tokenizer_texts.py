"""Texts for the tokenizers' fixtures and comparisons: sentences of many scripts, and random strings of what goes wrong."""
import random

SENTENCES = """\
The movie begins at night; nobody's talking, and they've been waiting for 1,234.56 seconds (or so).
We'll see what you're made of! I'd say it's 100% DIFFICULT, isn't it? HE'S GONE. THEY'LL COME. I'M HERE.
Joey: How you doin'?  Chandler: Could it BE any more obvious...   [door slams]
for (int i = 0; i < n; ++i) { x[i] += y[i] * 3.14e-5; }\t// C++ code\r\n    return x;
<html><body class="main">&nbsp;http://example.org/path?query=1&other=2#part</body></html>
Größe, Füße, Straßenbahn, Ärger, Ölförderung; œuvre, façade, naïve, Señor, coração, Łódź, žluťoučký kůň
Съешь же ещё этих мягких французских булок, да выпей чаю. Ты же не против?
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Καλημέρα, τι κάνεις σήμερα;
דג סקרן שט בים מאוכזב ולפתע מצא חברה. שָׁלוֹם עֲלֵיכֶם
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر. مَرْحَبًا ١٢٣٤٥
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश। १२३४
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน ๑๒๓
我能吞下玻璃而不伤身体。今天天气很好，我们去看电影吧！第１２３号
いろはにほへと ちりぬるを。カタカナ、ｶﾀｶﾅ、漢字まじりの文章です。
키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다. 각
Tiếng Việt có dấu: Nguyễn Văn Trường sống ở Thành phố Hồ Chí Minh.
ქართული ენა; Հայերեն լեզու; አማርኛ ቋንቋ; ᠮᠣᠩᠭᠣᠯ; བོད་སྐད; မြန်မာဘာသာ; ខ្មែរ
Emoji 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇫🇷 ☺️ ❤️‍🔥 1️⃣ 🤷🏻‍♀️ and math ∑∫√∞ ≤ ≥ ≠ ½ ⅓ ² ³ Ⅷ ① ㊿ 𝟘𝟙𝟚 𝔘𝔫𝔦
""".splitlines()

SPECIAL = ["<|begin_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"]

# White space and what only looks like it; letters with several code points; contractions with unusual case; things
# that normalization changes; controls; the borders of UTF-8's lengths.
PARTS = [" ", "  ", "   ", "\t", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\x85", "\xa0", "\u1680", "\u180e", "\u2003", "\u2028",
         "\u2029", "\u202f", "\u205f", "\u3000", "\ufeff", "\u200b", "\u200d", "\u00ad", "e\u0301", "\u0301", "a\u0328\u0301",
         "q\u0323\u0307", "q\u0307\u0323", "\u1100\u1161\u11a8", "\uac00\u11a8", "\u212b", "\u2126", "\u0958", "\ufb1d", "\ufb01",
         "\u0344", "\u1e9b\u0323", "\U0001d15e", "'s", "'S", "'ſ", "'t", "'re", "'Re", "'ve", "'m", "'ll", "'LL", "'d", "''", "’s",
         "\x00", "\x01", "\x1b", "\x7f", "\x80", "\u07ff", "\u0800", "\uffff", "\ufffd", "\ufffe", "\U00010000", "\U0010ffff", "0", "12", "345",
         "6789", "٣", "Ⅷ", "½", "²", "㊿", "_", "-", "--", "...", "…", "!?", "(", ")", "/", "\\", "K", "ſ", "İ", "ı", "ß", "ǅ",
         "𝔘", "👍🏽", "👩‍👩‍👧", "🏳️‍🌈", "🇩🇪", "1️⃣", "a", "The", " the", "word", "ÅB"]


def random_text(random_numbers, longest, own_parts=()):
    """A few parts, words and code points, glued together."""
    pieces = []
    for _ in range(random_numbers.randint(1, longest)):
        kind = random_numbers.random()
        if kind < 0.45:
            pieces.append(random_numbers.choice(PARTS))
        elif kind < 0.75:
            pieces.append(random_numbers.choice(random_numbers.choice(SENTENCES).split(" ")))
        elif kind < 0.82:
            pieces.append(random_numbers.choice([*SPECIAL, *own_parts]))
        elif kind < 0.9:
            pieces.append(chr(random_numbers.choice([*range(0x20, 0x250), *range(0x300, 0x370)])))
        else:
            code = random_numbers.randrange(0x110000 - 0x800)
            pieces.append(chr(code if code < 0xD800 else code + 0x800))
    return "".join(pieces)


def seeded(seed):
    return random.Random(seed)

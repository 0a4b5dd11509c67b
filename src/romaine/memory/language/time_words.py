"""How languages name times: data. `times.py` says what it is made into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Words = Mapping[str, Any]


@dataclass(frozen=True)
class TimeRules:
    """How a language names times, in folded texts.

    Attributes:
        slots: For each slot the words that may stand in it, and what they mean: the attribute of `SaidTime`
            that the slot is named for, or several by name.
        rules: Patterns with slots in braces and a space for any space; of two that match at one place the
            earlier counts. What stands before the first slot or named group is no part of the time.
        before: The same for what stands before a date and changes it.
        joint: What makes a range of two dates: matched to what stands before them, a tab, what stands between
            them, and a tab.
        spaced: Whether words stand apart.
    """

    slots: Mapping[str, Words]
    rules: tuple[str, ...]
    before: tuple[str, ...] = ()
    joint: str = ""
    spaced: bool = True


def _words(listed: str, values: Iterable[Any]) -> Words:
    """Groups of one meaning stand apart by spaces, the words of a group by bars; `_` stands for a space."""
    return {
        word.replace("_", " "): value
        for group, value in zip(listed.split(), values, strict=True)
        for word in group.split("|")
    }


def _ago(listed: str) -> Words:
    """Words for today, yesterday and the day before."""
    return _words(listed, [{"unit": "day", "count": count} for count in range(3)])


def _last(listed: str) -> Words:
    """Words for last week, last month and last year."""
    return _words(listed, [{"unit": unit, "last": True} for unit in _WHOLE])


def _this(listed: str) -> Words:
    return _words(listed, [{"unit": unit, "count": 0} for unit in _WHOLE])


def _lines(rules: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in rules.splitlines() if line.strip())


_MONTHS, _SEASONS, _WEEKDAYS, _COUNTS = range(1, 13), range(4), range(7), range(1, 13)
_WHOLE = ("week", "month", "year")

_ENGLISH = TimeRules(
    slots={
        "month": _words(
            "january|jan february|feb march|mar april|apr may june|jun july|jul august|aug"
            " september|sept|sep october|oct november|nov december|dec",
            _MONTHS,
        ),
        "clear": _words(  # those that mean nothing else
            "january february april june july august september october november december",
            [{"month": month} for month in _MONTHS if month not in (3, 5)],
        ),
        "season": _words("spring summer autumn|fall winter", _SEASONS),
        "weekday": _words("monday tuesday wednesday thursday friday saturday sunday", _WEEKDAYS),
        "unit": _words(
            "day|days|night|nights week|weeks month|months year|years weekend|weekends",
            ("day", *_WHOLE, "weekend"),
        ),
        "whole": _words("week month year weekend", [{"unit": unit} for unit in (*_WHOLE, "weekend")]),
        "count": _words(
            "a|an|one two|couple|couple_of three|few four five six seven eight nine ten eleven twelve",
            _COUNTS,
        ),
        "week": _words("first|1st second|2nd third|3rd fourth|4th", range(1, 5)),
        "ago": _ago(
            "today|tonight|this_morning|this_afternoon|this_evening yesterday|last_night day_before_yesterday"
        ),
        "last": _words("last|past|previous", (True,)),
        "this": _words("this", [{"count": 0}]),
        "side": _words("before|until|till|by|prior_to after|since|following", (-1, 1)),
    },
    rules=_lines(
        r"""
        {day}(?:st|nd|rd|th)?(?: of)? {month},?(?: of)? {year}
        {month}\.? {day}(?:st|nd|rd|th)?(?:,| |, ){year}
        {day}(?:st|nd|rd|th)(?: of)? {month}
        {month}\.? {day}(?:st|nd|rd|th)
        (?:on|of|the|by|before|after|since|until|till|from|and|to|between) {day}(?: of)? {month}
        (?:on|of|by|before|after|since|until|till|from|and|to|between) {month}\.? {day}
        {day} {clear}
        {clear} {day}
        {month},?(?: of)? {year}
        {last} {month}
        {this} {month}
        (?:in|during|of|by|before|after|since|until|till|between|from|early|late|mid) {month}
        (?:and|to) {clear}
        {season},?(?: of)? {year}
        {last} {season}
        {this} {season}
        (?:in|over|during) (?:the )?{season}(?! of)
        (?:in|during|of|by|before|after|since|until|till|between|from|and|year) {year}
        {count} {unit} (?:ago|earlier|back)
        {ago}
        {last} {whole}
        {this} {whole}
        {last} {weekday}
        (?:did|was|were|had|said|told|talked|happened|went) .{0,80}?on {weekday}
        (?:at|in|from) the (?:very )?(?P<beginning>beginning|start)(?! of(?! (?:the|our|my) (?:story|chat)))
        (?:we|you two|you and i) (?:first|1st) (?P<beginning>met|meet|spoke|speak|talked|talk)
        how (?:did|does) (?:it|this|everything) all (?P<beginning>start|begin)
        """
    ),
    before=_lines(
        r"""
        {count} {unit} {side}
        (?:the|that|last|on) {unit} {side}
        (?:the|that|last|on) {weekday} {side}
        {side}(?: the)?
        (?P<beginning>beginning of|start of|first half of|early|early in)
        (?P<middle>middle of|mid)
        (?P<end>end of|second half of|late|late in)
        {week} week (?:of|in)
        """
    ),
    joint=r"between\s*\t\s+and\s+\t|\t\s*(?:to|through|until|till|-|\u2013)\s*\t",
)

_GERMAN = TimeRules(
    slots={
        "month": _words(
            "januar|janner februar|feber marz april mai juni juli august september oktober november dezember",
            _MONTHS,
        ),
        "season": _words("fruhling|fruhjahr sommer herbst winter", _SEASONS),
        "weekday": _words("montag dienstag mittwoch donnerstag freitag samstag|sonnabend sonntag", _WEEKDAYS),
        "unit": _words(
            "tag|tagen woche|wochen monat|monaten jahr|jahren wochenende|wochenenden",
            ("day", *_WHOLE, "weekend"),
        ),
        "whole": _words("woche monat jahr wochenende", [{"unit": unit} for unit in (*_WHOLE, "weekend")]),
        "count": _words(
            "ein|einem|einer zwei|paar drei vier funf sechs sieben acht neun zehn elf zwolf", _COUNTS
        ),
        "ago": _ago("heute gestern vorgestern"),
        "this": _words("diese|diesen|dieser|dieses|diesem", [{"count": 0}]),
        "last": _words(
            "letzte|letzten|letzter|letztes|letztem|vergangene|vergangenen|vergangenes|vorige|vorigen|voriges",
            (True,),
        ),
    },
    rules=_lines(
        r"""
        {day}\. ?{month}(?: {year})?
        {month} {year}
        {last} {month}
        {this} {month}
        (?:im|seit|bis|ende|anfang|mitte) {month}
        {season} {year}
        {last} {season}
        {this} {season}
        im {season}
        (?:im jahr|im jahre|seit|bis) {year}
        vor {count} {unit}
        {ago}
        {last} {whole}
        {this} {whole}
        {last} {weekday}
        (?:am|zu) (?P<beginning>anfang|beginn)(?: (?:der|unserer|dieser) geschichte)?(?! de[rs])
        """
    ),
)

_FRENCH = TimeRules(
    slots={
        "month": _words(
            "janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre", _MONTHS
        ),
        "season": _words("printemps ete automne hiver", _SEASONS),
        "weekday": _words("lundi mardi mercredi jeudi vendredi samedi dimanche", _WEEKDAYS),
        "unit": _words(
            "jour|jours semaine|semaines mois an|ans|annee|annees week-end|week-ends",
            ("day", *_WHOLE, "weekend"),
        ),
        "whole": _words("semaine mois an|annee week-end", [{"unit": unit} for unit in (*_WHOLE, "weekend")]),
        "count": _words("un|une deux trois|quelques quatre cinq six sept huit neuf dix onze douze", _COUNTS),
        "ago": _ago("aujourd'hui|ce_matin|ce_soir hier avant-hier"),
        "this": _words("ce|cet|cette", [{"count": 0}]),
        "last": _words("dernier|derniere|passe|passee", (True,)),
    },
    rules=_lines(
        r"""
        {day}(?:er)? {month}(?: {year})?
        {month} {year}
        {month} {last}
        (?:en|depuis|debut|fin|mi-|au mois de|au mois d') ?{month}
        {season}(?: de)? {year}
        {season} {last}
        {this} {season}
        (?:en|au) {season}
        (?:en|depuis) {year}
        il y a {count} {unit}
        {ago}
        {whole} {last}
        {this} {whole}
        {weekday} {last}
        au (?:tout )?(?P<beginning>debut)(?: de (?:l'|notre )histoire)?(?! d)
        """
    ),
)

_SPANISH = TimeRules(
    slots={
        "month": _words(
            "enero febrero marzo abril mayo junio julio agosto septiembre|setiembre octubre noviembre"
            " diciembre",
            _MONTHS,
        ),
        "season": _words("primavera verano otono invierno", _SEASONS),
        "weekday": _words("lunes martes miercoles jueves viernes sabado domingo", _WEEKDAYS),
        "unit": _words("dia|dias semana|semanas mes|meses ano|anos", ("day", *_WHOLE)),
        "whole": _words("semana mes ano fin_de_semana", [{"unit": unit} for unit in (*_WHOLE, "weekend")]),
        "count": _words(
            "un|una dos|par_de tres|unos|unas cuatro cinco seis siete ocho nueve diez once doce", _COUNTS
        ),
        "ago": _ago("hoy|esta_manana|esta_noche ayer|anoche anteayer|antes_de_ayer"),
        "this": _words("este|esta", [{"count": 0}]),
        "last": _words("pasado|pasada", (True,)),
    },
    rules=_lines(
        r"""
        {day} de {month}(?: (?:de|del) {year})?
        {month} (?:de|del) {year}
        {month} {last}
        (?:en|desde|hasta) {month}
        {season} (?:de|del) {year}
        {season} {last}
        {this} {season}
        en {season}
        (?:en|desde|hasta) {year}
        hace {count} {unit}
        {ago}
        {whole} {last}
        {this} {whole}
        {weekday} {last}
        al (?P<beginning>principio|comienzo|inicio)(?: de (?:la|nuestra) historia)?(?! de)
        """
    ),
)

_HAN = TimeRules(  # Japanese and Chinese
    slots={
        "season": _words("春 夏 秋 冬", _SEASONS),
        "unit": _words("日|天 週間|周|週|个星期|個星期|星期 か月|ヶ月|カ月|个月|個月 年", ("day", *_WHOLE)),
        "count": _words("一 二|两|兩 三|几|幾|数|數 四 五 六 七 八 九 十 十一 十二", _COUNTS),
        "ago": _ago("今日|今朝|今夜|今天|今早|今晚 昨日|きのう|昨夜|昨晩|昨天|昨晚 一昨日|おととい|前天"),
        "last_unit": _last("先週|上周|上週|上星期|上个星期|上個星期 先月|上个月|上個月|上月 去年|昨年"),
        "this_unit": _this("今週|这周|這週|这个星期|這個星期 今月|这个月|這個月 今年"),
        "last": _words("去年の|昨年の|去年|この前の", (True,)),
        "this": _words("今年の|今年|この|这个|這個", [{"count": 0}]),
    },
    rules=_lines(
        r"""
        {year}年{month}月{day}[日号號]?
        {year}年の?{month}月
        {month}月{day}[日号號]
        {month}月(?!間)
        {year}年の?{season}
        {year}年
        {last}{season}
        {this}{season}
        {count}{unit}之?前
        {ago}
        {last_unit}
        {this_unit}
        物語の(?P<beginning>最初|始まり|はじめ)
        (?P<beginning>初めて会った|第一次见面|第一次見面)
        故事的?(?P<beginning>开头|開頭|开始|開始)
        """
    ),
    spaced=False,
)

_KOREAN = TimeRules(
    slots={
        "season": _words("봄 여름 가을 겨울", _SEASONS),
        "weekday": _words("월요일 화요일 수요일 목요일 금요일 토요일 일요일", _WEEKDAYS),
        "unit": _words("일 주일|주 달|개월 년", ("day", *_WHOLE)),
        "count": _words("한|일 두|이 세|삼|몇 네 다섯 여섯 일곱 여덟 아홉 열 열한 열두", _COUNTS),
        "ago": _ago("오늘 어제|어젯밤 그저께|그제|엊그제"),
        "last_unit": _last("지난_주|지난주|저번_주|저번주 지난_달|지난달|저번_달|저번달 작년|지난해"),
        "this_unit": _this("이번_주|이번주 이번_달|이번달 올해"),
        "last": _words("지난|작년", (True,)),
        "this": _words("올|올해|이번", [{"count": 0}]),
    },
    rules=_lines(
        r"""
        {year}년 ?{month}월 ?{day}일
        {year}년 ?{month}월
        {month}월 ?{day}일
        {month}월
        {year}년 ?{season}
        {year}년
        {last} ?{season}
        {this} ?{season}
        {last} ?{weekday}
        {count} ?{unit} ?전
        {ago}
        {last_unit}
        {this_unit}
        이야기의? ?(?P<beginning>처음|시작|초반)
        우리가? ?(?P<beginning>처음) ?만
        """
    ),
    spaced=False,
)

LATIN_RULES: Mapping[str, TimeRules] = {
    "en": _ENGLISH,
    "de": _GERMAN,
    "fr": _FRENCH,
    "es": _SPANISH,
}
"""By the code of the language. A text shows which it may be in."""

OTHER_RULES = {"\uac00-\ud7a3": _KOREAN, "\u3041-\u30fa\u3400-\u9fff": _HAN}
"""By the letters of the script."""

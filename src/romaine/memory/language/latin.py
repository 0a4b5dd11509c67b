"""What tells the languages in Latin script apart, and what says nothing in a question: data.

A language is one entry: `code: _language(stemmer, function words, letters besides a to z)`. Function words
are what a text of it can hardly do without, question words among them; they are its stop words, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from romaine.memory.language.folding import fold


@dataclass(frozen=True)
class Language:
    """One language.

    Attributes:
        stemmer: Name of a Snowball algorithm, "" if words are not inflected.
        function_words: In lower case, with and without their diacritics.
        letters: Those it is written with besides a to z.
        capitals_are_names: Whether a capital inside a sentence tells a name.
    """

    stemmer: str
    function_words: frozenset[str]
    letters: frozenset[str]
    capitals_are_names: bool = True


def _language(
    stemmer: str,
    words: str,
    letters: str,
    *,
    capitals_are_names: bool = True,
    marks_are_optional: bool = True,
) -> Language:
    listed = words.split()
    plain = map(fold, listed) if marks_are_optional else ()
    return Language(stemmer, frozenset(listed) | frozenset(plain), frozenset(letters), capitals_are_names)


ENGLISH = "en"
"""The language of texts that show no other."""

_ENGLISH_WORDS = """
a about above after again against all also am an and any are aren as at be because been before being below
between both but by can could couldn d did didn do does doesn doing don down during each few for from
further had hadn has hasn have haven having he her here hers herself him himself his how i if in into is isn
it its itself just ll m ma me might more most must mustn my myself needn no nor not now o of off on once
only or other our ours ourselves out over own re s same shan she should shouldn so some such t than that the
their theirs them themselves then there these they this those through to too under until up ve very was wasn
we were weren what when where which while who whom whose why will with won would wouldn y you your yours
yourself yourselves
"""
_GERMAN_WORDS = """
aber als am an auch auf aus bei beim bin bis bist da damit dann das dass dein deine deinem deinen deiner dem
den der des dich die dir doch du durch ein eine einem einen einer eines er es euch euer eure für gegen hab
habe haben habt hast hat hatte hatten hattest hier ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ins ist
ja jetzt kann kannst kein keine keinen konnte können mal man mein meine meinem meinen meiner mich mir mit
muss nach nicht nichts noch nun nur ob oder ohne schon sehr sein seine seinem seinen seiner seit sich sie
sind so soll sollte über um und uns unser unsere unter vom von vor wann war waren warst warum was weil welche
welchem welchen welcher welches wem wen wenn wer werden wessen wie wieder will willst wir wird wo woher wohin
wurde wurden zu zum zur zwischen
"""
_FRENCH_WORDS = """
ai as au aux avec avez avait avais avoir avons c ça ce cela ces cet cette chez comme comment combien d dans
de des dont du elle elles en encore es est et étaient étais était été êtes être eu eux fait il ils j je l la
le les leur leurs lui m ma mais me mes moi mon n ne ni nos notre nous on ont ou où par pas pendant peu peut
plus pour pourquoi qu quand que quel quelle quelles quels qui quoi s sa sans se sera ses si sommes son sont
sous suis sur t ta te tes toi ton tous tout toute très tu un une vers vos votre vous y
"""
_SPANISH_WORDS = """
a adónde al algo alguien ante antes aquel aquella aquí así aunque ayer cada como cómo con contra cuál cuáles
cuando cuándo cuánto cuántos de del desde donde dónde dos e el él ella ellas ellos en entre era eran eras
eres es esa ese eso esta está estaba están estar estás este esto estoy fue fueron fui ha había habían han has
hasta hay he la las le les lo los más me mi mis mucho muy nada ni no nos nosotros o os otra otro para pero
por porque qué que quién quien quiénes se sea ser si sí sido sin sobre solo somos son soy su sus también te
tengo ti tiene tienes todo todos tu tú tus un una uno unos usted ustedes y ya yo
"""
_ITALIAN_WORDS = """
a abbiamo ad ai al alla alle anche ancora aveva avevo avete c che chi ci come con cosa cui da dal dalla de
dei del della delle dello di dove e è ed era erano eri ero fu gli ha hai hanno ho i il in io l la le lei li
lo loro lui ma me mi mia mie miei mio molto ne nei nel nella nelle no noi non nostra nostro o ogni per perché
però più poi qual quale quali quando quanto quella quelle quello questa queste questo qui sei senza si sia
siamo siete sono sta stai stata stato su sua sue sul sulla suo suoi te ti tra tu tua tuo tutti tutto un una
uno vi voi
"""
_PORTUGUESE_WORDS = """
a à ao aos aquela aquele aqui as às até com como da das de dela dele deles depois do dos e é ela elas ele
eles em entre era eram és essa esse esta está estão estava este estou eu foi foram fui há isso isto já lhe
mais mas me mesmo meu meus minha minhas muito na não nas nem no nos nós nossa nosso num numa o onde os ou
para pela pelo por porque porquê qual quais quando quanto quantos que quê quem se sem ser seu seus só sua
suas também te tem têm tenho teu tinha tu tua tudo um uma vai você vocês vou
"""
_DUTCH_WORDS = """
aan al als ben bent bij daar dan dat de den der deze die dit door dus een en er ge geen had hadden hebben
hebt heb heeft hem het hier hij hoe hun ik in is ja jij je jou jouw jullie kan kon kun maar me meer men met
mij mijn moet na naar niet niets nog nu of om onder ons ook op over waar waarom waren was wat we wel welk
welke werd wie wij wil wilt worden wordt wanneer zal zei zich zij zijn ze zo zonder zou te tegen toch toen
tot u uit van veel voor
"""
_SWEDISH_WORDS = """
alla att av bara blev bli blir då de dem den denna deras dess det detta dig din dina ditt du där efter ej
eller en er ert ett från för ha hade han hans har hennes henne hon honom hur här i icke ingen inte jag kan
kommer kunde man med mellan men mig min mina mitt mot mycket nej ni nu när någon något några och om oss på
ska skulle sig sin sina sitt som så till under upp ut vad var vara varför varit varje vars vart vem vi vid
vilka vilken vilket vill våra än är åt över
"""
_DANISH_WORDS = """
af alle at blev blive bliver da de dem den denne der deres det dette dig din dine dit dog du efter ej eller
en end er et for fra få ham han hans har havde have hende hendes her hos hun hvad hvem hver hvilken hvilke
hvis hvor hvordan hvorfor hvornår i ikke ind ingen jeg jer kan kunne lige man mange med meget men mig min
mine mit mod må ned nej noget nogle nogen nu når og også om op os over på sig sin sine sit skal skulle som så
til ud under var ved vi vil ville være været
"""
_NORWEGIAN_WORDS = """
alle at av bare ble bli blir da de deg dem den denne der deres det dette din dine ditt du eller en enn er et
ett etter for fra før få ha hadde han hans har hennes henne her hun hva hvem hver hvilken hvilke hvis hvor
hvordan hvorfor i ikke ingen inn jeg kan kom kunne man med meg meget mellom men mer min mine mitt mot må ned
nei noe noen nå når og også om opp oss over på sa seg selv si sin sine sitt skal skulle slik som så til um
under ut var ved vi vil ville være vært vår
"""
_FINNISH_WORDS = """
ei eikä emme en et että ette eivät he hän häntä hänen ja jo jos joka jossa jotka kanssa koska kuin kuka kun
kuinka me meidän mihin miksi mikä millä milloin millainen minne minua minulla minun minut minä missä mistä
mitä mukaan mutta myös ne niin niitä nyt näin ole olen olet oli olin olit olivat olla olleet ollut olemme on
ovat se sen siellä sillä sinua sinulla sinun sinä sitten sitä sinut tai te teidän tuo tämä tämän vaan vai
vain vielä voi
"""
_HUNGARIAN_WORDS = """
a ahol aki akkor amely ami az azok azt azért be csak de egy egyik el ez ezek ezt ezért én és fel ha hanem
hogy hogyan hol honnan hova hová ide igen ilyen is itt jó ki kik kit le legyen lehet lesz ma majd már még meg
mely melyik mert mi miért mikor milyen mint minden mit most nagyon ne neki nekem nem nincs olyan ott össze ő
ők s se sem soha te ti tud túl után vagy vagyok vajon valaki valami van vannak volt voltak voltam volna
"""
_ROMANIAN_WORDS = """
a acest această acesta acum ai aici al ale am ar are aș asta așa atunci au avea avem ca că când care cât câți
ce cea cel cele cine cu cum da dacă dar de decât deci despre din după e ea ei el ele era erau este eu fără fi
fost iar îi îl îmi în înainte își îți la le lor lui mai mea mei meu mi mult ne nici noi nostru nu o ori pe
pentru prin sa să sau se și spre sub sunt suntem ta te tu tău un unde unei unui vă voi vom vor vostru
"""
_TURKISH_WORDS = """
ama ancak bana bazı belki ben beni benim bile bir biri biz bize bizim böyle bu buna bunu burada çok çünkü da
daha de değil diye en fakat gibi hangi hani hem hep hepsi her hiç için ile ise işte kadar kaç ki kim kime
kimi kimin mı mi mu mü nasıl ne neden nerede nereden nereye niçin niye o olan olarak oldu olduğu ona onlar
onu onun ora orada öyle sana sen seni senin siz sonra şey şimdi şu şöyle var ve veya ya yani yok
"""
_POLISH_WORDS = """
a ale albo aby bo bardzo będzie bez by być był była było były ci cię co czy czego czym dla dlaczego do gdy
gdyby gdzie go i ich ile im ja jak jaka jaki jakie jako je jego jej jemu jest jestem jesteś jeszcze już każdy
kiedy kim kogo komu kto która które którego którzy który mam mają masz mi mnie mną moja moje mój może my na
nad nam nas nasz nic nich nie niej nim niż o od on ona one oni ono oraz po pod przed przez przy są sam się
skąd swoje ta tak także tam te tego tej ten teraz to tobie tu twoja twoje twój ty tych tylko tym u w we więc
wszystko za ze z że
"""
_CZECH_WORDS = """
a aby ale ani ano asi az až bez bude budu by byl byla bylo byli být co což či do ho i já jak jaká jaké jaký
jako je jeho jej její jejich jen jenom ještě jestli ji jí jim jsem jsi jsme jsou jste k kam kde kdo kdy když
který která které ke komu koho ma má mám máš mě mezi mi mít mne mně moje můj my na nad nám nás ne nebo než
nic nich není o od on ona oni ono po pod podle pro proč proto protože před při s se si sobě svůj ta tak také
tam te tě tebe ten tento to tobě tom toto tu ty u už v ve více však z za ze že
"""
_VIETNAMESE_WORDS = """
ai à ạ anh ấy bà bao bằng bị bởi các cái chị cho chứ chưa chúng có cô cũng của cùng cứ đã đang đâu đây đấy để
đến đều đó được em gì giữa hay hãy họ hoặc hơn khi không là lại lên mà mày mấy mình mọi mỗi một nào này nên
nếu nhau nhé nhỉ nhiêu như nhưng những nó ở ông qua ra rất rồi sao sau sẽ sự ta tại thế theo thì tôi trên
trong trước từ ừ và vào vậy về vẫn vì với vừa xuống
"""
_INDONESIAN_WORDS = """
ada adalah agar aku akan anda apa apakah atau bagaimana bagi bahwa banyak begitu belum berapa bisa bukan
dalam dan dapat dari dengan di dia hanya harus hingga ia ini itu jadi jangan jika juga kalau kalian kami kamu
kapan karena kau ke kepada ketika kita kok lagi lah lalu lebih maka mana masih mengapa mereka namun nya oleh
pada para pernah saat saja sampai sangat saya sebagai sebuah secara sedang seorang seperti serta setelah
siapa sini situ sudah supaya tapi telah tentang terhadap tersebut tetapi tidak untuk ya yaitu yang
"""

_VIETNAMESE_LETTERS = "".join(map(chr, range(0x1EA0, 0x1EFA))) + "àáâãèéêìíòóôõùúýăđĩũơư"

LANGUAGES: dict[str, Language] = {
    ENGLISH: _language("porter", _ENGLISH_WORDS, ""),
    "de": _language("german", _GERMAN_WORDS, "äöüß", capitals_are_names=False),
    "fr": _language("french", _FRENCH_WORDS, "àâæçèéêëîïôœùûüÿ"),
    "es": _language("spanish", _SPANISH_WORDS, "áéíñóúü"),
    "it": _language("italian", _ITALIAN_WORDS, "àèéìîòù"),
    "pt": _language("portuguese", _PORTUGUESE_WORDS, "àáâãçéêíóôõú"),
    "nl": _language("dutch", _DUTCH_WORDS, "éëïöü"),
    "sv": _language("swedish", _SWEDISH_WORDS, "åäöé"),
    "da": _language("danish", _DANISH_WORDS, "åæøé"),
    "no": _language("norwegian", _NORWEGIAN_WORDS, "åæøéòô"),
    "fi": _language("finnish", _FINNISH_WORDS, "äöå"),
    "hu": _language("hungarian", _HUNGARIAN_WORDS, "áéíóöőúüű"),
    "ro": _language("romanian", _ROMANIAN_WORDS, "ăâîșțşţ"),
    "tr": _language("turkish", _TURKISH_WORDS, "çğıöşüâî"),
    "pl": _language("polish", _POLISH_WORDS, "ąćęłńóśźż"),
    "cs": _language("czech", _CZECH_WORDS, "áčďéěíňóřšťúůýž"),
    "id": _language("indonesian", _INDONESIAN_WORDS, ""),
    "vi": _language("", _VIETNAMESE_WORDS, _VIETNAMESE_LETTERS, marks_are_optional=False),
}

_WEAK_WORDS = """
ada agar ai akan aku al ale anda anh apa as au az bao be ben bila bisa ca care cat cho com come con da dan
dari das dat de del dem den der des dia die din dir do dog don dont door dos dove du due ea ed el em en er
es et fare fi fin for fort fran fu go ha han hat hay hem hen her hi hoe hun i ia im in ini ins is ja je ji
jim juga k kami kau khi ki kim kit kita kok la lah las le lei les let li lo los ma mai mal man mana mar
mass me men met mi mig mine mint mit mod mon mot ne nei no non nos nu nya o of ok oleh on one os pada pan
par para pas pendant per pernah plus po pod pour qua ra sa saat saja sam sao sau se sea sei sen ser serta
si sig sin sini sit situ ska so solo son sous su sub sue sur ta take tan te ten theo ti till todo toe tom
tot tres tu ty u um un us van var vi vid von war wat will y ya yo z ze
"""
WEAK = frozenset(_WEAK_WORDS.split())
"""Function words that are English words or stand in names and exclamations as well: half as telling."""

/**
 * SillyTavern's messages as turns of a memory.
 *
 * Ids are made just as `romaine import` makes them, so that a chat that was imported from its file is known
 * again: the time of a message's first swipe, and who said it. They survive edits, swipes and deletions.
 */

/** What the server takes of one text. */
const LONGEST = 1_000_000;
const LONGEST_NAME = 500;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const WRITTEN = /^([a-z]{3,9})\.? +(\d{1,2}),? +(\d{4}),? +(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([ap])?\.?(?:m\.?)?$/i;
const OF_FILE = /^(\d{4})-(\d{1,2})-(\d{1,2}) *@ *(\d{1,2})h *(\d{1,2})m(?: *(\d{1,2})s)?(?: *(\d{1,3})ms)?$/i;
const ISO = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(z|[+-]\d{2}:?\d{2})?$/i;

/**
 * @typedef {object} Turn
 * @property {string} source_id Its id in the chat.
 * @property {string} text What it shows now.
 * @property {string} speaker Who says it.
 * @property {'user'|'character'|'narrator'} role
 * @property {string=} at When it was said, ISO 8601.
 * @property {string} mark Tells whether text, speaker or role changed.
 * @property {number} swipe Which of its swipes is shown.
 * @property {string[]=} known_by Who was there, in a group.
 */

/**
 * @param {object[]} chat All messages.
 * @param {{user: string, character: string}} names For messages without one.
 * @param {{hidden: boolean, forgotten: string[]}} options Whether to take what is hidden from the prompt; ids
 *     of what the user had forgotten.
 * @returns {Turn[]}
 */
export function turnsOf(chat, names, { hidden, forgotten }) {
    const left = new Set(forgotten);
    const turns = [];
    idsOf(chat, names).forEach((source_id, index) => {
        const message = chat[index];
        const text = wellFormed(filled(String(message.mes ?? ''), names), LONGEST);
        if (!text.trim() || left.has(source_id) || isOfTheApp(message) || (message.is_system && !hidden)) return;
        const turn = { source_id, text, speaker: speakerOf(message, names), role: roleOf(message) };
        const sent = timeOf(message.send_date);
        if (sent !== null) turn.at = new Date(sent).toISOString();
        turns.push({ ...turn, mark: markOf(turn), swipe: message.swipe_id ?? 0 });
    });
    return turns;
}

/** Id of each message, in order. */
export function idsOf(chat, names) {
    const seen = new Map();
    return chat.map((message, index) => {
        const sent = timeOf(message.swipe_info?.[0]?.send_date) ?? timeOf(message.send_date);
        const time = sent === null ? null : new Date(sent).toISOString().replace('Z', '+00:00');
        // a file's first line is its header, and lines count from one
        return claimed(seen, time === null ? `line ${index + 2}` : `${time} ${speakerOf(message, names)}`);
    });
}

/** The second message of one name gets ` #2`, the third ` #3`. */
function claimed(seen, name) {
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times > 1 ? claimed(seen, `${name} #${times}`) : name;
}

/** Whether an id is one of those made here, and not another program's. */
export function isOurs(id) {
    return /^(\d{4}-\d{2}-\d{2}T[\d:.]{12}\+00:00 |line \d+)/.test(id);
}

/** Tells two states of a message apart. Not a safeguard against anybody, so a plain hash will do. */
export function markOf({ role, speaker, text }) {
    let one = 0x811c9dc5;
    let two = 0x1000193;
    for (const part of [role, '\n', speaker, '\n', text]) {
        for (let i = 0; i < part.length; i++) {
            one = Math.imul(one ^ part.charCodeAt(i), 0x01000193);
            two = Math.imul(two, 31) + part.charCodeAt(i);
        }
    }
    return `${(one >>> 0).toString(36)}.${(two >>> 0).toString(36)}.${text.length}`;
}

/** Milliseconds since 1970 of a time as SillyTavern has written it over the years, or null. */
export function timeOf(value) {
    if (typeof value === 'number' || /^-?\d{1,17}(\.\d{1,9})?$/.test(value ?? '')) {
        const number = Number(value);
        return Math.round(Math.abs(number) < 1e11 ? number * 1000 : number);
    }
    const text = String(value ?? '').trim();
    if (ISO.test(text)) {
        const whole = text.replace(' ', 'T');
        const time = Date.parse(/(z|[+-]\d{2}:?\d{2})$/i.test(whole) ? whole : `${whole}Z`);
        return Number.isNaN(time) ? null : time;
    }
    // without a timezone: taken as UTC, so that distances within a chat stay right
    const written = WRITTEN.exec(text);
    if (written) {
        const [, month, day, year, hour, minute, second = 0, half] = written;
        const index = MONTHS.indexOf(month.slice(0, 3).toLowerCase());
        const hours = half ? (Number(hour) % 12) + (half.toLowerCase() === 'p' ? 12 : 0) : Number(hour);
        return index < 0 ? null : Date.UTC(year, index, day, hours, minute, second);
    }
    const file = OF_FILE.exec(text);
    if (!file) return null;
    const [, year, month, day, hour, minute, second = 0, milli = 0] = file;
    return Date.UTC(year, month - 1, day, hour, minute, second, milli);
}

function speakerOf(message, names) {
    const name = typeof message.name === 'string' ? message.name.trim() : '';
    return wellFormed(name || (message.is_user ? names.user : names.character) || 'unknown', LONGEST_NAME);
}

function roleOf(message) {
    if (message.is_user) return 'user';
    return message.extra?.type === 'narrator' ? 'narrator' : 'character';
}

/** Help texts, comments and calls of tools, which nobody in the story says. */
function isOfTheApp(message) {
    const kind = message.extra?.type;
    return Boolean(message.extra?.tool_invocations || (message.is_system && kind && kind !== 'narrator'));
}

/** Names in place of what stands for them; other macros may say something else each time. */
function filled(text, names) {
    const known = { user: names.user, char: names.character };
    return text.replace(/\{\{\s*(user|char)\s*\}\}/gi, (macro, name) => known[name.toLowerCase()] || macro);
}

/** A text's beginning, cut where no character is torn apart. */
function wellFormed(text, length) {
    return text.length <= length ? text : text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
}

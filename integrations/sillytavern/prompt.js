/** What a recall asks with, and what of its answer goes into the prompt. */

/** Of each message, how much of its end is asked with. */
const ASKED = 2_000;
/** Where only sure memories are wanted, what is less likely to fit than this and than half the best is left out. */
const LIKELY = 0.1;

/** The last messages, as the prompt will have them, without what is too long to ask with. */
export function asked(chat, count) {
    const texts = chat.filter((message) => !message.is_system).map((message) => String(message.mes ?? '').trim());
    return texts.filter(Boolean).slice(-count).map((text) => text.slice(-ASKED));
}

/** Where the prompt's part of a chat begins, before SillyTavern has ever told: rather a repetition than a gap. */
export function firstThatFits(chat, contextSize) {
    let left = 0.6 * contextSize;
    for (let index = chat.length - 1; index >= 0; index--) {
        const text = String(chat[index].mes ?? '');
        // a token has four letters of a Latin script, and hardly more than one of most others
        left -= /[\u0250-\uffff]/.test(text.slice(0, 200)) ? text.length / 1.5 : text.length / 4;
        if (left < 0) return index + 1;
    }
    return 0;
}

/** Without what came along only because there was room for it. */
export function telling(hits) {
    const best = Math.max(0, ...hits.map((hit) => hit.confidence));
    return hits.filter((hit) => hit.memory.pinned || hit.confidence >= Math.min(LIKELY, best / 2));
}

/** The prompt's part: what was said long ago must not run as a macro today. */
export function written(hits, template) {
    const lines = hits.map(({ memory: { speaker, text } }) => {
        const line = (speaker ? `${speaker}: ${text}` : text).replace(/\s*\n\s*/g, ' ');
        return line.replaceAll('{{', '{ {');
    });
    return template.replace('{{memories}}', () => lines.join('\n'));
}

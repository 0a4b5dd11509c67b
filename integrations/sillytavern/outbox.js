/**
 * Brings the memory to what a chat shows.
 *
 * Nothing is queued but the difference between what the chat shows and what the server has taken, so sending
 * it again, in another order or from two browsers does no harm, and what was said while the server was away
 * is sent when it is back. The difference outlives the page.
 */

import { isOurs, markOf } from './messages.js';
import { Away, Refused } from './server.js';

/** Turns and characters of one request. */
const BATCH = 64;
const BATCH_LENGTH = 300_000;
const PATIENCE = 120_000;
/** Milliseconds until the next try; the last one repeats. */
const PAUSES = [3_000, 10_000, 30_000, 60_000];

const SENT = 'sent ';
const WAITING = 'waiting ';

/**
 * @typedef {object} Place
 * @property {string} key Tells this chat on this server from all others.
 * @property {string} address The server's.
 * @property {{user?: string, character?: string, chat: string}} scope Where its turns go.
 * @property {string=} origin Name of the chat it was made from.
 * @property {string[]} present Who is there, in a group; else nobody is named.
 */

export class Outbox {
    /** What is known of each chat: `place`, `sent` by id or null, `turns` and `gone` that wait. */
    #chats = new Map();
    #loaded = null;
    #sending = null;
    #tries = 0;
    #timer = 0;
    #closed = false;

    /**
     * @param {import('./store.js').Store} store
     * @param {import('./server.js').Server} server
     * @param {(state: {is: 'idle'|'sending'|'away'|'refused', done: number, total: number, said: string}) => void}
     *     tell Hears how it goes.
     */
    constructor(store, server, tell) {
        this.store = store;
        this.server = server;
        this.tell = tell;
    }

    /** How many messages wait to be sent or taken out. */
    get left() {
        return [...this.#chats.values()].reduce((sum, chat) => sum + chat.turns.length + chat.gone.length, 0);
    }

    /** Ends all tries; what waits stays kept. */
    close() {
        clearTimeout(this.#timer);
        this.#closed = true;
        this.tell = () => {};
    }

    /** Forgets what a chat was sent, so that all of it is compared with the server's memory again. */
    async again(place) {
        const chat = await this.#chat(place);
        chat.sent = null;
        await this.store.set(SENT + place.key, undefined);
    }

    /** As `again`, if the server has nothing of a chat that was sent: its memory is another one now. */
    async check(place) {
        const chat = await this.#chat(place);
        if (!chat.sent || !Object.keys(chat.sent).length) return;
        const { memories } = await this.server.get('/stats', place.scope);
        if (!memories.turn) await this.again(place);
    }

    /**
     * Notes what a chat shows now, and begins to send what is new of it.
     *
     * @param {Place} place
     * @param {import('./messages.js').Turn[]} turns All of them.
     * @returns {Promise<void>} Done when all is sent, or cannot be.
     */
    async see(place, turns) {
        const chat = await this.#chat(place);
        // a greeting alone is no chat yet, only a character that was looked at
        if (!chat.sent && !turns.some((turn) => turn.role === 'user')) return;
        const sent = chat.sent ?? {};
        const ids = new Set(turns.map((turn) => turn.source_id));
        const present = new Map(chat.turns.map((turn) => [turn.source_id, turn.known_by]));
        const last = turns.at(-1);
        chat.place = place;
        chat.turns = turns
            .filter((turn) => sent[turn.source_id]?.mark !== turn.mark)
            .map((turn) => ({ ...turn, known_by: present.get(turn.source_id) ?? place.present }));
        chat.gone = Object.keys(sent).filter((id) => !ids.has(id));
        // what was swiped away goes with all that was made from it; an edit keeps that
        const before = last && sent[last.source_id];
        if (before && before.mark !== last.mark && (before.swipe ?? last.swipe) !== last.swipe) {
            chat.gone.push(last.source_id);
        }
        await this.#keepWaiting(chat);
        if (chat.turns.length + chat.gone.length) await this.send();
    }

    /** Sends what waits, of all chats. */
    send() {
        clearTimeout(this.#timer);
        this.#sending ??= this.#sendAll().finally(() => {
            this.#sending = null;
        });
        return this.#sending;
    }

    async #sendAll() {
        try {
            await this.#load();
            for (let chat = this.#next(); chat && !this.#closed; chat = this.#next()) await this.#deliver(chat);
            this.#tries = 0;
            this.#say('idle', 0, 0);
        } catch (error) {
            if (!(error instanceof Away || error instanceof Refused)) throw error;
            this.#say(error instanceof Away ? 'away' : 'refused', 0, this.left, error.message);
            const pause = PAUSES[Math.min(this.#tries++, PAUSES.length - 1)];
            if (!this.#closed) this.#timer = setTimeout(() => this.send(), pause);
        }
    }

    #next() {
        return [...this.#chats.values()].find((chat) => chat.turns.length + chat.gone.length);
    }

    async #deliver(chat) {
        const { scope } = chat.place;
        if (!chat.sent) await this.#meet(chat);
        const total = chat.turns.length;
        if (chat.gone.length) {
            const gone = chat.gone.slice(0, 1000);
            await this.server.post('/retract', { scope, source_ids: gone }, PATIENCE);
            for (const id of gone) delete chat.sent[id];
            chat.gone = chat.gone.filter((id) => !gone.includes(id));
            await this.#keep(chat);
        }
        while (chat.turns.length && !chat.gone.length) {
            this.#say('sending', Math.max(0, total - chat.turns.length), total);
            await this.#add(chat, scope, batchOf(chat.turns));
        }
    }

    /** Adds turns; of those that are refused, one by one, all but the bad ones. */
    async #add(chat, scope, batch) {
        let said = '';
        try {
            const turns = batch.map(({ source_id, text, speaker, role, at }) => {
                return { source_id, text, speaker, role, at };
            });
            await this.server.post('/turns', { scope, turns, known_by: batch[0].known_by }, PATIENCE);
        } catch (error) {
            if (!(error instanceof Refused) || error.isForAll) throw error;
            if (batch.length > 1) {
                for (const turn of batch) await this.#add(chat, scope, [turn]);
                return;
            }
            said = error.message;
        }
        for (const { source_id, mark, swipe } of batch) chat.sent[source_id] = { mark, swipe };
        // the chat may have gone on meanwhile: what is another text by now still waits
        chat.turns = chat.turns.filter((turn) => chat.sent[turn.source_id]?.mark !== turn.mark);
        await this.#keep(chat);
        if (said) this.#say('refused', 0, 1, said);
    }

    /** Finds out what the server has of a chat that was never sent from here; forks it if it was branched. */
    async #meet(chat) {
        const { scope, origin } = chat.place;
        let held = await this.server.turns(scope);
        if (!held.length && origin) {
            const theirs = await this.server.turns({ ...scope, chat: origin });
            const shared = sharedTurns(theirs, chat.turns);
            if (shared.length) {
                const at = shared.at(-1).position;
                await this.server.post('/branch', { scope: { ...scope, chat: origin }, at, to_chat: scope.chat });
                held = shared;
            }
        }
        const ids = new Set(chat.turns.map((turn) => turn.source_id));
        chat.sent = Object.fromEntries(held.map((each) => [each.source_id, { mark: markOf(each) }]));
        chat.turns = chat.turns.filter((turn) => chat.sent[turn.source_id]?.mark !== turn.mark);
        chat.gone = Object.keys(chat.sent).filter((id) => isOurs(id) && !ids.has(id));
        await this.#keep(chat);
    }

    async #chat(place) {
        await this.#load();
        const known = this.#chats.get(place.key);
        if (known) return known;
        const sent = (await this.store.get(SENT + place.key)) ?? null;
        const chat = this.#chats.get(place.key) ?? { place, sent, turns: [], gone: [] };
        this.#chats.set(place.key, chat);
        return chat;
    }

    /** Takes up what waits from an earlier visit. */
    #load() {
        this.#loaded ??= (async () => {
            for (const name of await this.store.names(WAITING)) {
                const waiting = await this.store.get(name);
                if (waiting.place.address !== this.server.address) continue; // another server's
                const sent = (await this.store.get(SENT + waiting.place.key)) ?? null;
                this.#chats.set(waiting.place.key, { ...waiting, sent });
            }
        })();
        return this.#loaded;
    }

    async #keep(chat) {
        await this.store.set(SENT + chat.place.key, chat.sent);
        await this.#keepWaiting(chat);
    }

    #keepWaiting({ place, turns, gone }) {
        const waits = turns.length + gone.length > 0;
        return this.store.set(WAITING + place.key, waits ? { place, turns, gone } : undefined);
    }

    #say(is, done, total, said = '') {
        this.tell({ is, done, total, said });
    }
}

/** The first turns that go together: within the limits, and witnessed by the same. */
function batchOf(turns) {
    const batch = [];
    let length = 0;
    for (const turn of turns) {
        length += turn.text.length;
        const other = batch.length && String(turn.known_by) !== String(batch[0].known_by);
        if (batch.length === BATCH || other || (batch.length && length > BATCH_LENGTH)) break;
        batch.push(turn);
    }
    return batch;
}

/** The records that a chat's beginning is the same as. */
function sharedTurns(held, turns) {
    const differs = held.findIndex((each, index) => {
        const turn = turns[index];
        return turn?.source_id !== each.source_id || turn.mark !== markOf(each);
    });
    return differs < 0 ? held : held.slice(0, differs);
}

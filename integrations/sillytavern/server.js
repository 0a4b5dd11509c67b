/** Talks to `romaine serve`. */

/** The server cannot be reached, or asks to come later: what was to be sent is kept. */
export class Away extends Error {}

/** The server answered that it will not; the message is its own. */
export class Refused extends Error {
    /**
     * @param {number} status HTTP status.
     * @param {string} said What was wrong and what to do.
     */
    constructor(status, said) {
        super(said);
        this.status = status;
    }

    /** Whether nothing else would be taken either: a wrong key, no memory, another user's. */
    get isForAll() {
        return [401, 403, 404].includes(this.status);
    }
}

export class Server {
    /**
     * @param {{address: string, key: string, user: string}} settings As the user typed them.
     */
    constructor({ address, key, user }) {
        this.address = address.trim().replace(/\/+$/, '').replace(/\/v1$/, '');
        this.key = key.trim();
        // a key is mostly one user's, who then need not be named; without keys somebody has to be
        this.user = user.trim() || (this.key ? undefined : 'me');
    }

    /** The scope that a chat's requests carry. */
    scope({ character, chat }) {
        return { user: this.user, character, chat };
    }

    post(path, body, patience) {
        return this.#call('POST', path, { body, patience });
    }

    /**
     * @param {string} path Below /v1/memory.
     * @param {object} query Names and values; undefined ones are left out, lists are repeated.
     */
    get(path, query = {}) {
        const parts = new URLSearchParams();
        for (const [name, value] of Object.entries(query)) {
            for (const each of [value].flat()) {
                if (each !== undefined) parts.append(name, each);
            }
        }
        return this.#call('GET', `${path}?${parts}`, {});
    }

    /**
     * All turns of a chat that have ids, those that it shares with the chat it was forked from among them.
     *
     * @param {{user?: string, character?: string, chat: string}} scope Whose.
     */
    async turns(scope) {
        const found = [];
        const limit = 1000;
        for (let offset = 0; ; offset += limit) {
            const query = { ...scope, kinds: 'turn', offset, limit };
            const { memories } = await this.get('/memories', query);
            found.push(...memories.filter((each) => each.chat && each.source_id));
            if (memories.length < limit) return found;
        }
    }

    async #call(method, path, { body, patience = 15_000 }) {
        const headers = {};
        if (body) headers['Content-Type'] = 'application/json';
        if (this.key) headers.Authorization = `Bearer ${this.key}`;
        let status;
        let answer;
        try {
            const response = await fetch(`${this.address}/v1/memory${path}`, {
                method,
                headers,
                body: body && JSON.stringify(body),
                signal: AbortSignal.timeout(patience),
            });
            status = response.status;
            answer = await response.json();
        } catch (error) {
            throw new Away(error.message);
        }
        if (status === 408 || status === 429 || status >= 500) throw new Away(said(answer, status));
        if (status >= 400) throw new Refused(status, said(answer, status));
        return answer;
    }
}

function said(answer, status) {
    const detail = answer?.detail ?? answer?.error?.message;
    return typeof detail === 'string' ? detail : `The server answered ${status}.`;
}

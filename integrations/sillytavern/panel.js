/** The panel that shows what was recalled for the last answer, and why. Texts of a chat are never markup. */

const WHY = {
    dense: 'meaning',
    context: 'meaning, with what was said before',
    lexical: 'words',
    window: 'words around it',
    speaker: 'who said it',
    question: 'asks something',
    answer: 'answers something',
    importance: 'importance',
    recency: 'how recent',
    pinned: 'pinned',
    cold: 'faded',
    late: 'word by word',
};
const LONGEST = 1500;
const REJECTED_SHOWN = 10;

export class Panel {
    #root;
    #body;
    #before = null;

    /**
     * @param {{pin: (memory: object) => Promise<void>, forget: (memory: object) => Promise<void>}} actions What
     *     the buttons do; a failure's message is shown.
     */
    constructor(actions) {
        this.actions = actions;
        this.recalled = null;
        const close = button('Close', () => this.hide());
        const title = element('h3', 'What was recalled');
        title.id = 'romaine_title';
        this.#body = element('div');
        this.#body.setAttribute('aria-live', 'polite');
        this.#root = element('aside', [element('div', [title, close], 'romaine-head'), this.#body], 'romaine-panel');
        this.#root.id = 'romaine_panel';
        this.#root.hidden = true;
        this.#root.tabIndex = -1;
        this.#root.setAttribute('aria-labelledby', title.id);
        this.#root.addEventListener('keydown', (event) => {
            if (event.key === 'Escape') this.hide();
        });
        document.body.append(this.#root);
    }

    toggle() {
        if (this.#root.hidden) this.show();
        else this.hide();
    }

    show() {
        this.#before = document.activeElement;
        this.#root.hidden = false;
        this.#draw();
        this.#root.focus();
    }

    hide() {
        this.#root.hidden = true;
        this.#before?.focus?.();
    }

    /**
     * Takes what is to be shown from now on.
     *
     * @param {{query: string, hits: object[], rejected: object[], confidence: number, note: string}|null} recalled
     */
    take(recalled) {
        this.recalled = recalled;
        if (!this.#root.hidden) this.#draw();
    }

    #draw() {
        const { recalled } = this;
        if (!recalled) {
            this.#body.replaceChildren(element('p', 'Nothing was asked of the memory in this chat yet.'));
            return;
        }
        const { query, hits, rejected, confidence, note } = recalled;
        const parts = [element('p', `For: ${short(query, 300)}`, 'romaine-text romaine-said')];
        if (note) parts.push(element('p', note));
        else if (!hits.length) parts.push(element('p', 'Nothing fits well enough, so nothing was added to the prompt.'));
        if (typeof confidence === 'number') {
            parts.push(element('p', `Chance that something fits: ${percent(confidence)}`, 'romaine-said'));
        }
        parts.push(element('ol', hits.map((hit) => this.#hit(hit)), 'romaine-hits'));
        if (rejected.length) {
            const list = rejected.slice(0, REJECTED_SHOWN).map((each) =>
                element('li', [
                    element('div', `${speaker(each.memory)}: ${short(each.memory.text ?? '', 200)}`, 'romaine-text'),
                    element('div', each.reason, 'romaine-said'),
                ]),
            );
            const more = element('details', [
                element('summary', `Left out (${rejected.length})`),
                element('ul', list, 'romaine-hits'),
            ]);
            parts.push(more);
        }
        this.#body.replaceChildren(...parts);
    }

    #hit({ memory, parts, confidence }) {
        const said = element('div', '', 'romaine-said');
        said.setAttribute('role', 'status');
        const item = element('li', [
            element('strong', speaker(memory)),
            element('div', short(memory.text ?? '', LONGEST), 'romaine-text'),
            element('div', whyOf(parts), 'romaine-parts'),
            element('div', `Chance that it holds the answer: ${percent(confidence)}`, 'romaine-said'),
        ]);
        const pin = button(memory.pinned ? 'Unpin' : 'Pin', async () => {
            await this.#do(said, () => this.actions.pin(memory));
            pin.textContent = memory.pinned ? 'Unpin' : 'Pin';
            pin.setAttribute('aria-pressed', String(memory.pinned));
        });
        pin.setAttribute('aria-pressed', String(memory.pinned));
        const forget = button('Forget', async () => {
            if (forget.dataset.sure !== 'yes') {
                forget.dataset.sure = 'yes';
                forget.textContent = 'Forget for good?';
                return;
            }
            const done = await this.#do(said, () => this.actions.forget(memory));
            if (done) {
                this.recalled.hits = this.recalled.hits.filter((hit) => hit.memory !== memory);
                item.replaceChildren(element('div', 'Forgotten.'));
                this.#root.focus(); // the button that had it is gone
            }
        });
        item.append(element('div', [pin, forget], 'romaine-row'), said);
        return item;
    }

    async #do(said, action) {
        said.textContent = '';
        try {
            await action();
            return true;
        } catch (error) {
            said.textContent = error.message;
            return false;
        }
    }
}

/** Rows of name, bar and figure, the most telling first. */
function whyOf(parts) {
    const told = Object.entries(parts ?? {}).filter(([, value]) => Math.abs(value) >= 0.005);
    told.sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
    const most = Math.abs(told[0]?.[1] ?? 1);
    return told.flatMap(([name, value]) => {
        const bar = element('div', '', value < 0 ? 'romaine-bar is-less' : 'romaine-bar');
        bar.style.width = `${Math.max(2, (100 * Math.abs(value)) / most)}%`;
        return [element('span', WHY[name] ?? name), element('div', [bar]), element('span', value.toFixed(2))];
    });
}

function speaker(memory) {
    return memory.speaker || memory.kind;
}

function percent(share) {
    return `${Math.round(100 * share)} %`;
}

function short(text, length) {
    return text.length <= length ? text : `${text.slice(0, length).replace(/[\ud800-\udbff]$/, '')}…`;
}

function button(label, act) {
    const made = element('button', label, 'menu_button');
    made.type = 'button';
    made.addEventListener('click', act);
    return made;
}

function element(name, content = '', className = '') {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (typeof content === 'string') made.textContent = content;
    else made.append(...content);
    return made;
}

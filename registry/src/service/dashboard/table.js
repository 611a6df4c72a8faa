// A table: sorted by any column, with rows that are updated where they are.

/**
 * Columns are `{ name, text(row), value(row), title?(row), isText?, isOver?(row) }`: `value` is
 * what is sorted by. `key(row)` says which rows of two readings are the same.
 */
class Table {
    constructor({ id, title, columns, key, sort, empty }) {
        Object.assign(this, {
            columns,
            key,
            empty,
            sorted: sort,
            descending: true,
            rows: [],
            lines: new Map()
        });
        this.body = make("tbody");
        this.heads = columns.map((column, index) => this.head(column, index));
        this.caption = make("h2", { id: `${id}-title`, textContent: title });
        this.note = make("p", { className: "empty", textContent: empty });
        const table = make(
            "table",
            {},
            make("thead", {}, make("tr", {}, ...this.heads)),
            this.body
        );
        table.setAttribute("aria-labelledby", `${id}-title`);
        this.scroll = make("div", { className: "scroll", tabIndex: 0 }, table);
        this.scroll.setAttribute("role", "region");
        this.scroll.setAttribute("aria-labelledby", `${id}-title`);
        this.section = make("section", { id }, this.caption, this.note, this.scroll);
        this.title = title;
        this.showOrder();
    }

    head(column, index) {
        const button = make("button", { type: "button", textContent: column.name });
        if (column.hint) button.title = column.hint;
        button.addEventListener("click", () => {
            // Figures are wanted from the largest down, words from A to Z.
            this.descending = this.sorted === index ? !this.descending : !column.isText;
            this.sorted = index;
            this.showOrder();
            this.draw();
        });
        const head = make("th", { scope: "col", className: column.isText ? "text" : "" }, button);
        return head;
    }

    showOrder() {
        this.heads.forEach((head, index) => {
            if (index === this.sorted)
                head.setAttribute("aria-sort", this.descending ? "descending" : "ascending");
            else head.removeAttribute("aria-sort");
        });
    }

    update(rows) {
        this.rows = rows;
        this.draw();
    }

    draw() {
        const { value } = this.columns[this.sorted];
        const turn = this.descending ? -1 : 1;
        const sorted = this.rows
            .map((row) => ({ row, by: value(row) }))
            .sort(
                (a, b) =>
                    this.compare(a.by, b.by, turn) ||
                    this.compare(this.key(a.row), this.key(b.row), 1)
            );
        const seen = new Set();
        sorted.forEach(({ row }, place) => {
            const key = this.key(row);
            if (seen.has(key)) return;
            seen.add(key);
            const line = this.lines.get(key) ?? this.addLine(key);
            if (this.body.children[place] !== line)
                this.body.insertBefore(line, this.body.children[place] ?? null);
            this.columns.forEach((column, index) =>
                this.drawCell(line.children[index], column, row)
            );
        });
        for (const [key, line] of this.lines) {
            if (seen.has(key)) continue;
            line.remove();
            this.lines.delete(key);
        }
        this.note.hidden = seen.size > 0;
        this.scroll.hidden = seen.size === 0;
        setText(this.caption, seen.size > 9 ? `${this.title} (${seen.size})` : this.title);
    }

    /** What is not known comes last, whichever way. */
    compare(a, b, turn) {
        const missing = (value) => value == null || Number.isNaN(value);
        if (missing(a) || missing(b)) return missing(a) - missing(b);
        if (a === b) return 0;
        return typeof a === "string" ? turn * a.localeCompare(b) : turn * (a - b);
    }

    addLine(key) {
        const line = make(
            "tr",
            {},
            ...this.columns.map((column) => make("td", { className: column.isText ? "text" : "" }))
        );
        this.lines.set(key, line);
        return line;
    }

    drawCell(cell, column, row) {
        setText(cell, column.text(row));
        if (column.title) setTitle(cell, column.title(row));
        if (column.isOver) cell.classList.toggle("over", column.isOver(row));
    }
}

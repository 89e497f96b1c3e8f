-- Written by tests/support/schema.py from the migrations; do not change it by hand.
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE jobs (
	id TEXT NOT NULL,
	provider TEXT NOT NULL,
	model TEXT NOT NULL,
	base_url TEXT NOT NULL,
	recipe_hash TEXT NOT NULL,
	take INTEGER NOT NULL,
	state TEXT NOT NULL,
	params TEXT NOT NULL,
	images TEXT NOT NULL,
	dropped TEXT NOT NULL,
	prompt_folded TEXT NOT NULL,
	seed BIGINT,
	emulated BOOLEAN NOT NULL,
	account TEXT,
	remote_id TEXT,
	asset_id TEXT,
	wire_status TEXT,
	created_at TEXT NOT NULL,
	submitted_at TEXT,
	finished_at TEXT,
	done_at TEXT,
	polls INTEGER NOT NULL,
	cost_amount DOUBLE,
	cost_unit TEXT,
	nsfw BOOLEAN,
	error TEXT,
	clip_sha256 TEXT,
	size_bytes BIGINT,
	actual_width_px INTEGER,
	actual_height_px INTEGER,
	actual_fps DOUBLE,
	actual_duration_s DOUBLE,
	actual_frames INTEGER,
	codec TEXT,
	has_audio BOOLEAN,
	lease_owner TEXT,
	lease_until TEXT, woken_at TEXT, rating INTEGER, tags TEXT DEFAULT '[]' NOT NULL, note TEXT DEFAULT '' NOT NULL, purse TEXT, clip_note TEXT, seed_drawn BOOLEAN DEFAULT 0 NOT NULL, seeded_hash TEXT, imported BOOLEAN DEFAULT 0 NOT NULL, replays BOOLEAN DEFAULT 0 NOT NULL, trashed_at TEXT, purged_at TEXT, outputs TEXT DEFAULT '[]' NOT NULL, used_seed BIGINT, used_prompt TEXT,
	PRIMARY KEY (id)
);
CREATE INDEX ix_jobs_unfinished ON jobs (created_at) WHERE state NOT IN ('cancelled', 'done', 'failed');
CREATE INDEX ix_jobs_created_at ON jobs (created_at);
CREATE INDEX ix_jobs_remote_id ON jobs (remote_id);
CREATE INDEX ix_jobs_state ON jobs (state, created_at);
CREATE INDEX ix_jobs_model ON jobs (model, created_at);
CREATE TABLE events (
	id INTEGER NOT NULL,
	job_id TEXT NOT NULL,
	at TEXT NOT NULL,
	state TEXT NOT NULL,
	note TEXT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE INDEX ix_events_job_id ON events (job_id);
CREATE TABLE uploads (
	provider TEXT NOT NULL,
	account TEXT NOT NULL,
	base_url TEXT NOT NULL,
	sha256 TEXT NOT NULL,
	remote_id TEXT NOT NULL,
	kind TEXT NOT NULL,
	created_at TEXT NOT NULL,
	PRIMARY KEY (provider, account, base_url, sha256)
);
CREATE INDEX ix_jobs_charged ON jobs (model, created_at) WHERE cost_unit IS NOT NULL AND NOT emulated AND state NOT IN ('failed', 'cancelled');
CREATE TABLE purses (
	name TEXT NOT NULL,
	book TEXT NOT NULL,
	unit TEXT NOT NULL,
	cap DOUBLE,
	settled DOUBLE NOT NULL,
	reserved DOUBLE NOT NULL,
	unclear DOUBLE NOT NULL,
	forgiven DOUBLE NOT NULL,
	PRIMARY KEY (name, book, unit)
);
CREATE TABLE reservations (
	job_id TEXT NOT NULL,
	attempt INTEGER NOT NULL,
	at TEXT NOT NULL,
	book TEXT NOT NULL,
	unit TEXT NOT NULL,
	amount DOUBLE NOT NULL,
	highest DOUBLE NOT NULL,
	expected DOUBLE NOT NULL,
	charged DOUBLE,
	purses TEXT NOT NULL,
	booked TEXT NOT NULL,
	PRIMARY KEY (job_id, attempt),
	FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE INDEX ix_reservations_unpriced ON reservations (job_id) WHERE expected < 0;
CREATE TRIGGER paid_for BEFORE UPDATE OF state ON jobs
            WHEN NEW.state = 'submitting' AND NOT EXISTS (SELECT 1 FROM reservations WHERE job_id = NEW.id AND booked = 'reserved')
            BEGIN SELECT RAISE(ABORT, 'no reservation for this job'); END;
CREATE TABLE measures (
	sha256 TEXT NOT NULL,
	name TEXT NOT NULL,
	version TEXT NOT NULL,
	value DOUBLE,
	measured_at TEXT NOT NULL,
	PRIMARY KEY (sha256, name, version)
);
CREATE INDEX ix_jobs_seeded_hash ON jobs (seeded_hash) WHERE seeded_hash IS NOT NULL;
CREATE TABLE sweeps (
	id TEXT NOT NULL,
	purse TEXT NOT NULL,
	title TEXT NOT NULL,
	control TEXT NOT NULL,
	created_at TEXT NOT NULL,
	PRIMARY KEY (id)
);
CREATE TABLE cells (
	sweep_id TEXT NOT NULL,
	base_url TEXT NOT NULL,
	recipe_hash TEXT NOT NULL,
	take INTEGER NOT NULL,
	position INTEGER NOT NULL,
	waiting BOOLEAN NOT NULL,
	recipe TEXT NOT NULL, parent_job TEXT,
	PRIMARY KEY (sweep_id, base_url, recipe_hash, take),
	FOREIGN KEY(sweep_id) REFERENCES sweeps (id)
);
CREATE INDEX ix_cells_waiting ON cells (sweep_id, base_url, position) WHERE waiting;
CREATE TABLE limits (
	account TEXT NOT NULL,
	kind TEXT NOT NULL,
	next_at DOUBLE NOT NULL,
	slower DOUBLE NOT NULL,
	paused_until DOUBLE NOT NULL,
	paused_s DOUBLE NOT NULL,
	refused INTEGER NOT NULL, seen_at DOUBLE,
	PRIMARY KEY (account, kind)
);
CREATE TABLE slots (
	job_id TEXT NOT NULL,
	account TEXT NOT NULL, owner TEXT,
	PRIMARY KEY (job_id),
	FOREIGN KEY(job_id) REFERENCES jobs (id)
);
CREATE INDEX ix_slots_account ON slots (account);
CREATE TABLE param_columns (
	name TEXT NOT NULL,
	kind TEXT NOT NULL,
	column_name TEXT NOT NULL,
	PRIMARY KEY (name, kind)
);
CREATE UNIQUE INDEX uq_jobs_take ON jobs (base_url, recipe_hash, take) WHERE state NOT IN ('failed', 'cancelled') AND NOT imported AND purged_at IS NULL;
CREATE INDEX ix_jobs_replays ON jobs (recipe_hash) WHERE replays;
CREATE INDEX ix_jobs_trashed ON jobs (id) WHERE trashed_at IS NOT NULL;
CREATE INDEX ix_jobs_clip_sha256 ON jobs (clip_sha256);
CREATE TABLE votes (
	id INTEGER NOT NULL,
	at TEXT NOT NULL,
	voter TEXT NOT NULL,
	question TEXT NOT NULL,
	first_id TEXT NOT NULL,
	second_id TEXT NOT NULL,
	answer TEXT NOT NULL,
	PRIMARY KEY (id),
	FOREIGN KEY(first_id) REFERENCES jobs (id),
	FOREIGN KEY(second_id) REFERENCES jobs (id)
);
CREATE TABLE quotes (
	token TEXT NOT NULL,
	body TEXT NOT NULL,
	job_ids TEXT NOT NULL,
	created_at TEXT NOT NULL,
	PRIMARY KEY (token)
);
CREATE INDEX ix_jobs_said ON jobs (id) WHERE (tags <> '[]' OR note <> '');
CREATE INDEX ix_jobs_rating ON jobs (rating, created_at, id) WHERE rating IS NOT NULL;
CREATE INDEX ix_p_prompt_search ON jobs (created_at, id, prompt_folded);
CREATE INDEX ix_p_said_search ON jobs (created_at, id, tags, note) WHERE (tags <> '[]' OR note <> '');
CREATE TABLE price_lists (
	provider TEXT NOT NULL,
	prices TEXT NOT NULL,
	read_at TEXT NOT NULL,
	PRIMARY KEY (provider)
);
CREATE INDEX ix_jobs_recipe_hash ON jobs (recipe_hash, take);
CREATE INDEX ix_reservations_sums ON reservations (book, unit, booked, at, amount);
INSERT INTO alembic_version (version_num) VALUES ('0020');

-- A ledger as the collection wrote it before 1.0.0 (commit d7e15da): the lab's scenario 46, at the death of its controller.
BEGIN TRANSACTION;
CREATE TABLE host (
    run_id TEXT NOT NULL REFERENCES run (run_id), host_key TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL,
    kind TEXT NOT NULL, instance_id TEXT, region TEXT, wave INTEGER, outcome TEXT, step TEXT, reason_code TEXT,
    reason TEXT, facts TEXT NOT NULL, PRIMARY KEY (run_id, host_key));
INSERT INTO "host" VALUES('20261114T221908Z-6d9b','i-c2098191b67570e47','off-1',0,'ec2','i-c2098191b67570e47','eu-central-1',1,NULL,NULL,NULL,NULL,'{"type": "t3.large", "az": "eu-central-1a", "by_tag": true, "deadline_at": 1794709234.1900253, "original_state": "stopped", "admitted_at": 1794694834.1900253, "waited_for_admission_seconds": 18.4, "started_by_run": true, "on_since": 1794694884.6623325, "free_gib_after": 30.0, "free_gib_before": 30.0, "wanted_gib": 20.0, "grown_gib": 0, "update_source": {"kind": "microsoft", "url": null, "proxy": null}, "sessions": 0, "servicing": false, "installing_command_id": "fd638576-dd76-4afb-99fd-11c264ee852b"}');
INSERT INTO "host" VALUES('20261114T221908Z-6d9b','i-3342783702301effa','off-2',1,'ec2','i-3342783702301effa','eu-central-1',1,NULL,NULL,NULL,NULL,'{"type": "t3.large", "az": "eu-central-1a", "by_tag": true, "deadline_at": 1794709236.3086128, "original_state": "stopped", "admitted_at": 1794694836.3086128, "waited_for_admission_seconds": 18.1, "started_by_run": true, "on_since": 1794694893.8858843, "free_gib_after": 30.0, "free_gib_before": 30.0, "wanted_gib": 20.0, "grown_gib": 0, "update_source": {"kind": "microsoft", "url": null, "proxy": null}, "sessions": 0, "servicing": false, "installing_command_id": "4660e104-75ac-4601-a418-c4576e3b9c65"}');
INSERT INTO "host" VALUES('20261114T221908Z-6d9b','i-fd938470f9e1fa3b6','off-3',2,'ec2','i-fd938470f9e1fa3b6','eu-central-1',2,NULL,NULL,NULL,NULL,'{"type": "t3.large", "az": "eu-central-1a", "by_tag": true}');
INSERT INTO "host" VALUES('20261114T221908Z-6d9b','i-8fff70a2349fc58c0','on-1',3,'ec2','i-8fff70a2349fc58c0','eu-central-1',2,NULL,NULL,NULL,NULL,'{"type": "t3.large", "az": "eu-central-1a", "by_tag": true}');
CREATE TABLE lease (
    host_key TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES run (run_id), fence INTEGER NOT NULL, kept_until REAL);
INSERT INTO "lease" VALUES('i-c2098191b67570e47','20261114T221908Z-6d9b',1,NULL);
INSERT INTO "lease" VALUES('i-3342783702301effa','20261114T221908Z-6d9b',1,NULL);
INSERT INTO "lease" VALUES('i-fd938470f9e1fa3b6','20261114T221908Z-6d9b',1,NULL);
INSERT INTO "lease" VALUES('i-8fff70a2349fc58c0','20261114T221908Z-6d9b',1,NULL);
CREATE TABLE power_record (
    host_key TEXT NOT NULL, instance_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
    original_state TEXT NOT NULL CHECK (original_state IN ('running', 'stopped')), recorded_at REAL NOT NULL,
    run_id TEXT NOT NULL, start_requested_at REAL, started_by TEXT, launch_time REAL, closed_at REAL, closed_how TEXT);
INSERT INTO "power_record" VALUES('i-c2098191b67570e47','i-c2098191b67570e47','eu-central-1','off-1','stopped',1.79469483384232521058e+09,'20261114T221908Z-6d9b',1.79469488141531467433e+09,'20261114T221908Z-6d9b',1794694883.0,NULL,NULL);
INSERT INTO "power_record" VALUES('i-3342783702301effa','i-3342783702301effa','eu-central-1','off-2','stopped',1.79469483521196842192e+09,'20261114T221908Z-6d9b',1.7946948890001726151e+09,'20261114T221908Z-6d9b',1794694892.0,NULL,NULL);
CREATE TABLE run (
    run_id TEXT PRIMARY KEY, opened_at REAL NOT NULL, operation TEXT NOT NULL, snapshot_id TEXT NOT NULL,
    settings TEXT NOT NULL, controller TEXT NOT NULL, heartbeat_at REAL NOT NULL, closed_at REAL, breaker TEXT);
INSERT INTO "run" VALUES('20261114T221908Z-6d9b',1.79469474888742446892e+09,'install','d0d61ef5-947d-4275-963d-9de13cb4e3b0','{"operation": "install", "rollout": "waves", "pause_seconds": 0, "expected_seconds": 2700, "deadline_at": null, "host_timeout_seconds": 14400, "credentials_expire_at": null, "begin_until_at": null, "window": null, "tag_key": "PatchGroup", "tag_value": "Windows", "keep_tag": "patchfleet:keep", "scheduler_tag": "Schedule", "fail_on_deferred": false, "max_running": null, "failure_budget_hosts": 0, "canary": 0, "batch_size": 2, "targets": {"tag": "PatchGroup=Windows", "hosts": null, "regions": ["eu-central-1"], "count": 4}}','{"host": "controller", "pid": 1, "user": "somebody"}',1.79469536801004409792e+09,NULL,NULL);
CREATE TABLE step (
    run_id TEXT NOT NULL, host_key TEXT NOT NULL, step TEXT NOT NULL, started_at REAL NOT NULL, finished_at REAL,
    ok INTEGER);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-c2098191b67570e47','admit',1.79469481493485450741e+09,1.79469483431303501131e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-3342783702301effa','admit',1.79469481650403976441e+09,1.79469483723445415493e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-c2098191b67570e47','start',1.79469486404831886296e+09,1.79469491977695465084e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-3342783702301effa','start',1.79469487333774566648e+09,1.79469492576280117033e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-c2098191b67570e47','ready',1.7946949609735679626e+09,1.79469502101645469668e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-3342783702301effa','ready',1.79469496635510921472e+09,1.79469502894732475285e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-c2098191b67570e47','disk',1.79469513283425807954e+09,1.79469517007879734039e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-3342783702301effa','disk',1.79469514114336967471e+09,1.79469517673754215244e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-c2098191b67570e47','repair',1.79469522001052856447e+09,1.79469524435517311091e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-3342783702301effa','repair',1.79469522535580635076e+09,1.79469525114230632782e+09,1);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-c2098191b67570e47','patch',1.79469528582025051113e+09,NULL,NULL);
INSERT INTO "step" VALUES('20261114T221908Z-6d9b','i-3342783702301effa','patch',1.79469529173471450803e+09,NULL,NULL);
CREATE TABLE way (
    host_key TEXT NOT NULL, run_id TEXT NOT NULL, finished_at REAL NOT NULL, outcome TEXT NOT NULL,
    seconds TEXT NOT NULL, PRIMARY KEY (host_key, run_id));
CREATE INDEX step_of_host ON step (run_id, host_key);
CREATE UNIQUE INDEX one_open_record ON power_record (host_key) WHERE closed_at IS NULL
;
CREATE INDEX lease_of_run ON lease (run_id);
COMMIT;
PRAGMA user_version = 2;

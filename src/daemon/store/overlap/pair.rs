//! Two helpers, each with its engine and its writer, on one state file.

use super::*;

pub(super) fn config(services: &[&str]) -> Config {
    let mut toml = "[node]\nmanagement = [\"10.1.0.2\"]\n[defaults]\nrise = 1\n".to_owned();
    for service in services {
        // `new=a` has the name `new` and the prefix of `a`.
        let (name, owner) = service.split_once('=').unwrap_or((service, service));
        let octet = owner.bytes().next().unwrap_or_default();
        toml += &format!(
            "[[service]]\nname = {name:?}\nprefixes = [\"192.0.2.{octet}/32\"]\naddress = false\n[[service.check]]\nname = \
             \"answers\"\ndns = {{ query = \"localhost. A\" }}\n"
        );
    }
    Config::parse(Path::new("overlap.toml"), &toml, "host").unwrap_or_else(|error| panic!("{error}"))
}

pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) const CONFIGURATION: &str = "/etc/overlap.toml";

pub(super) fn document(file: &Path) -> Option<Document> {
    let text = fs::read_to_string(file).ok()?;
    Some(Document::parse(&text, Path::new(CONFIGURATION)).unwrap())
}

pub(super) struct Helper {
    file: PathBuf,
    pub(super) engine: Engine,
    pub(super) now: Moment,
    pub(super) writer: Writer,
    learned: mpsc::UnboundedReceiver<Vec<Change>>,
    told: usize,
    generation: u64,
    pub(super) process: u32,
    /// Saves of changes that it has learned.
    saves: usize,
}

impl Helper {
    /// Starts with the state in the file, and saves.
    pub(super) fn start(file: &Path, services: &[&str]) -> Self {
        let loaded = document(file);
        let memory = loaded.as_ref().map_or_else(Memory::default, |loaded| loaded.services.clone());
        let (send, learned) = mpsc::unbounded_channel();
        let mut helper = Self {
            file: file.to_owned(),
            engine: Engine::new(&config(services).plan(), Parent::ExaBgp, memory, Duration::ZERO),
            now: Moment::START,
            writer: Writer::new(
                file.to_owned(),
                PathBuf::from(CONFIGURATION),
                loaded.as_ref(),
                crate::daemon::store::Failure::default(),
                send,
            ),
            learned,
            told: 0,
            generation: loaded.map_or(1, |loaded| loaded.generation + 1),
            process: std::process::id(),
            saves: 0,
        };
        helper.handle(Event::Start);
        helper.save();
        helper
    }

    pub(super) fn handle(&mut self, event: Event) {
        self.now = self.now + Duration::from_millis(1);
        self.engine.handle(self.now, event);
    }

    pub(super) fn carry_out(&mut self, command: Command) {
        if command != Command::Pass {
            return self.handle(event(command));
        }
        for service in 0..self.engine.services().len() {
            let check = CheckId { service: ServiceId(service), check: 0 };
            // The round before the command does not count.
            for _ in 0..2 {
                self.handle(Event::Outcome(check, Outcome::pass(Duration::ZERO)));
            }
        }
    }

    pub(super) fn save(&mut self) {
        self.save_as(true);
    }

    /// Saves; with `running` false as one that ends in order.
    pub(super) fn save_as(&mut self, running: bool) {
        let memory = self.engine.remember(self.now);
        let mut document = Document::new(PathBuf::from(CONFIGURATION), self.generation, self.process, memory);
        document.running = Some(running);
        self.writer.write(&mut Job { document, seen_changes: self.told }).unwrap();
    }

    /// Whether the file has the state of this helper.
    pub(super) fn is_stored(&self) -> bool {
        document(&self.file).unwrap().generation == self.generation
    }

    /// Which services are drained, by place.
    pub(super) fn is_drained(&self) -> Vec<bool> {
        self.engine.services().iter().map(|service| !service.drains.is_empty()).collect()
    }

    /// Learns what its writer has read. A service that is drained before and after is so meanwhile, and one that is
    /// not drained likewise.
    pub(super) fn learn(&mut self) {
        while let Ok(changes) = self.learned.try_recv() {
            self.told += changes.len();
            let before = self.is_drained();
            let mut each = vec![];
            for events in [of_services, of_all] {
                for event in events(&self.engine, self.now, &changes) {
                    self.handle(event);
                    each.push(self.is_drained());
                }
            }
            let after = self.is_drained();
            for (place, was) in before.iter().enumerate().filter(|(place, was)| after[*place] == **was) {
                assert!(each.iter().all(|drained| drained[place] == *was), "{changes:#?}");
            }
            self.save();
            self.saves += 1;
        }
    }

    pub(super) fn drains(&mut self) -> Drains {
        drains(&self.engine.remember(self.now))
    }

    pub(super) fn stored(&self) -> Drains {
        drains(&document(&self.file).unwrap().services)
    }
}

pub(super) fn drains(memory: &Memory) -> Drains {
    let drained = memory.services.iter().filter_map(|(name, kept)| {
        let drain = kept.drains.get(&Holder::operator())?;
        Some((name.clone(), drain.returning))
    });
    drained.collect()
}

/// An older and a newer helper.
pub(super) struct Pair(pub(super) [Helper; 2]);

impl Pair {
    pub(super) fn start(file: &Path, older: &[&str], newer: &[&str], first: Option<Command>) -> Self {
        let mut former = Helper::start(file, older);
        if let Some(command) = first {
            former.carry_out(command);
            former.save();
        }
        let mut pair = Self([former, Helper::start(file, newer)]);
        pair.settle();
        pair
    }

    /// Both read and learn until neither has anything to save.
    pub(super) fn settle(&mut self) {
        for _ in 0..8 {
            let saves = self.0.each_ref().map(|helper| helper.saves);
            for helper in &mut self.0 {
                helper.writer.read_changes();
                helper.learn();
            }
            if self.0.each_ref().map(|helper| helper.saves) == saves {
                return;
            }
        }
        panic!("the helpers do not stop to write");
    }

    /// Carries out a command at one side, and what is then.
    pub(super) fn plays(&mut self, side: usize, command: Command, then: Then) {
        let [this, other] = self.0.get_disjoint_mut([side, 1 - side]).unwrap();
        this.carry_out(command);
        if !matches!(then, Then::NoSave | Then::OtherSaves) {
            this.save();
        }
        match then {
            Then::Save | Then::NoSave => {}
            Then::Read => other.writer.read_changes(),
            Then::ReadAndSave => {
                other.writer.read_changes();
                other.save();
            }
            Then::OtherSaves => other.save(),
            Then::Settle => self.settle(),
        }
    }

    /// Each helper saves again, as it does with its heartbeat.
    pub(super) fn ends(&mut self) {
        self.0.iter_mut().for_each(Helper::save);
        self.settle();
        self.0.iter_mut().for_each(Helper::save);
        self.settle();
    }
}

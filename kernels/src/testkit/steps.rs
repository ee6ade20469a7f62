//! Which instructions ran: a trace by the processor itself.
//!
//! With the trap flag set, an x86-64 CPU raises a trap after each instruction. A handler writes
//! down where it was. No counters, no privileges, no emulator: what the trace holds was executed
//! on this CPU, AVX-512 included.
#![allow(unsafe_code, reason = "signal handler and trap flag")]

/// The longest x86 instruction.
pub const MAX_INSTRUCTION: usize = 15;

/// One executed instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its address.
    pub address: u64,
    /// The bytes there; the instruction is a prefix of them.
    pub bytes: [u8; MAX_INSTRUCTION],
}

/// Why there is no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoTrace {
    /// Only x86-64 Linux is traced.
    Platform,
    /// The handler could not be installed.
    Handler,
}

impl core::fmt::Display for NoTrace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Platform => "instructions can be traced on x86-64 Linux only",
            Self::Handler => "the trap handler could not be installed",
        })
    }
}

impl core::error::Error for NoTrace {}

/// The instructions that `work` executed on this thread, the first `limit` of them. One trace at
/// a time; a second one waits.
///
/// # Errors
/// Not on this platform, or no handler.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub fn trace(limit: usize, work: &mut dyn FnMut()) -> Result<Vec<Step>, NoTrace> {
    linux::trace(limit, work)
}

/// Not on this platform.
///
/// # Errors
/// Always.
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub fn trace(_limit: usize, _work: &mut dyn FnMut()) -> Result<Vec<Step>, NoTrace> {
    Err(NoTrace::Platform)
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use core::ffi::c_int;
    use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
    use std::sync::Mutex;

    use super::{MAX_INSTRUCTION, NoTrace, Step};

    /// One trace at a time: the handler has no argument of its own.
    static TURN: Mutex<()> = Mutex::new(());
    static BUFFER: AtomicPtr<u64> = AtomicPtr::new(core::ptr::null_mut());
    static CAPACITY: AtomicUsize = AtomicUsize::new(0);
    static COUNT: AtomicUsize = AtomicUsize::new(0);

    /// The trap flag in `rflags`.
    const TRAP: i64 = 0x100;

    extern "C" fn on_trap(_signal: c_int, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        let context = context.cast::<libc::ucontext_t>();
        // SAFETY: the kernel passes a valid context to a handler installed with SA_SIGINFO, and
        // nothing else refers to it meanwhile.
        let registers = unsafe { &mut (*context).uc_mcontext.gregs };
        let at = COUNT.load(Ordering::Relaxed);
        if at < CAPACITY.load(Ordering::Relaxed) {
            let address = registers[libc::REG_RIP as usize] as u64;
            // SAFETY: `at` is below the capacity of the buffer that `trace` lent.
            unsafe { BUFFER.load(Ordering::Relaxed).wrapping_add(at).write(address) };
            COUNT.store(at + 1, Ordering::Relaxed);
        } else {
            registers[libc::REG_EFL as usize] &= !TRAP;
        }
    }

    /// Ends a trace: the trap flag off, the handler that was there before, no buffer any more.
    struct Stop {
        before: libc::sigaction,
    }

    impl Drop for Stop {
        fn drop(&mut self) {
            // SAFETY: clears the trap flag.
            unsafe { core::arch::asm!("pushfq", "and qword ptr [rsp], -257", "popfq") };
            CAPACITY.store(0, Ordering::Relaxed);
            // SAFETY: puts back the handler that `sigaction` gave.
            unsafe {
                libc::sigaction(libc::SIGTRAP, &raw const self.before, core::ptr::null_mut())
            };
        }
    }

    pub(super) fn trace(limit: usize, work: &mut dyn FnMut()) -> Result<Vec<Step>, NoTrace> {
        let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut addresses = vec![0u64; limit];
        BUFFER.store(addresses.as_mut_ptr(), Ordering::Relaxed);
        CAPACITY.store(limit, Ordering::Relaxed);
        COUNT.store(0, Ordering::Relaxed);
        // SAFETY: all-zero is a valid sigaction.
        let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
        action.sa_sigaction = on_trap as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        // SAFETY: all-zero is a valid sigaction to be overwritten.
        let mut before: libc::sigaction = unsafe { core::mem::zeroed() };
        // SAFETY: the handler only touches the statics above and its own context.
        if unsafe { libc::sigaction(libc::SIGTRAP, &raw const action, &raw mut before) } != 0 {
            return Err(NoTrace::Handler);
        }
        // Declared after the buffer, so it is dropped before it, also when `work` unwinds.
        let stop = Stop { before };
        // SAFETY: sets the trap flag; every trap is handled by `on_trap` until `stop` clears it.
        unsafe { core::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
        work();
        drop(stop);
        addresses.truncate(COUNT.load(Ordering::Relaxed));
        Ok(addresses.into_iter().map(read).collect())
    }

    fn read(address: u64) -> Step {
        let mut bytes = [0; MAX_INSTRUCTION];
        // Byte by byte and not beyond the page unless the instruction could be: an instruction
        // that ends where its mapping ends has no readable byte behind it.
        let page_left = 4096 - (address as usize & 4095);
        for (i, byte) in bytes.iter_mut().enumerate().take(page_left) {
            // SAFETY: this address was executed, so its page is mapped, and code is readable.
            *byte = unsafe { (address as usize as *const u8).wrapping_add(i).read() };
        }
        Step { address, bytes }
    }
}

#[cfg(all(test, target_os = "linux", target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_repeatable_and_grows_with_the_work() {
        let count = |n: u32| {
            let mut total = 0u32;
            let mut work = || {
                for i in 0..n {
                    total = core::hint::black_box(total.wrapping_add(i));
                }
            };
            trace(100_000, &mut work).unwrap().len()
        };
        assert_eq!(count(50), count(50));
        assert!(count(100) >= count(50) + 50);
    }

    #[test]
    fn a_panic_ends_the_trace() {
        let panicked = std::panic::catch_unwind(|| trace(1_000_000, &mut || panic!("on purpose")));
        assert!(panicked.is_err());
        assert!(trace(1000, &mut || ()).unwrap().len() < 1000, "the next trace works");
    }

    #[test]
    fn a_full_buffer_ends_the_trace_and_not_the_process() {
        let mut sum = 0u64;
        let steps = trace(10, &mut || {
            for i in 0..1000u64 {
                sum = core::hint::black_box(sum + i);
            }
        });
        assert_eq!((steps.unwrap().len(), sum), (10, 499_500));
    }
}

//! The smallest programs: they end with exit code 0 and do nothing else. Run on a machine of another architecture, they show that it is emulated.
//!
//! Each is an ELF executable of one loaded segment: the header, one program header, and two to four instructions that make the system call
//! `exit(0)`. Sources: the ELF specification (`e_machine`, layouts), and each architecture's system call convention, syscall(2).

use crate::domain::Platform;

/// Where the segment is loaded. Above the lowest address that Linux lets a program map, on every architecture.
const BASE: u32 = 0x40_0000;
/// Alignment of the segment: the largest page size of any of these architectures.
const PAGE: u32 = 0x1_0000;

/// An architecture as ELF knows it.
struct Machine {
    /// `ELFCLASS64` rather than `ELFCLASS32`.
    wide: bool,
    /// `ELFDATA2MSB` rather than `ELFDATA2LSB`.
    big_endian: bool,
    /// `e_machine`.
    number: u16,
    /// `e_flags`.
    flags: u32,
    /// The instructions, as bytes.
    code: Vec<u8>,
}

/// The program for a platform; `None` for an architecture that is not known here.
pub(super) fn program(platform: &Platform) -> Option<Vec<u8>> {
    // Instructions of four bytes, little-endian.
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect::<Vec<u8>>()
    };
    let little = |number, flags, code| Machine {
        wide: true,
        big_endian: false,
        number,
        flags,
        code,
    };
    let machine = match platform.architecture() {
        // xor edi, edi; mov eax, 60; syscall
        "amd64" => little(62, 0, vec![0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05]),
        // mov x0, 0; mov x8, 93; svc 0
        "arm64" => little(183, 0, words(&[0xd280_0000, 0xd280_0ba8, 0xd400_0001])),
        // li a0, 0; li a7, 93; ecall
        "riscv64" => little(243, 0, words(&[0x0000_0513, 0x05d0_0893, 0x0000_0073])),
        // li r3, 0; li r0, 1; sc. Flags: ABI version 2, in which the entry point is the address of code.
        "ppc64le" => little(21, 2, words(&[0x3860_0000, 0x3800_0001, 0x4400_0002])),
        // addi.w a0, zero, 0; addi.w a7, zero, 93; syscall 0
        "loong64" => little(258, 0, words(&[0x0280_0004, 0x0281_740b, 0x002b_0000])),
        // or a0, zero, zero; addiu v0, zero, 5058; syscall. Flags: MIPS64 release 2, position independent.
        "mips64le" => little(8, 0x8000_0007, words(&[0x0000_2025, 0x2402_13c2, 0x0000_000c])),
        // xor ebx, ebx; mov eax, 1; int 0x80
        "386" => Machine {
            wide: false,
            ..little(3, 0, vec![0x31, 0xdb, 0xb8, 1, 0, 0, 0, 0xcd, 0x80])
        },
        // mov r0, 0; mov r7, 1; svc 0. Flags: EABI version 5.
        "arm" => Machine {
            wide: false,
            ..little(40, 0x0500_0000, words(&[0xe3a0_0000, 0xe3a0_7001, 0xef00_0000]))
        },
        // lghi r2, 0; svc 1
        "s390x" => Machine {
            big_endian: true,
            ..little(22, 0, vec![0xa7, 0x29, 0, 0, 0x0a, 0x01])
        },
        _ => return None,
    };
    Some(machine.executable())
}

/// A file that is written field by field.
struct Fields {
    bytes: Vec<u8>,
    wide: bool,
    big_endian: bool,
}

impl Fields {
    fn half(&mut self, value: u16) {
        let bytes = if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.bytes.extend(bytes);
    }

    fn word(&mut self, value: u32) {
        let bytes = if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.bytes.extend(bytes);
    }

    /// A field that is as wide as an address.
    fn address(&mut self, value: u32) {
        if !self.wide {
            return self.word(value);
        }
        let value = u64::from(value);
        let bytes = if self.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        self.bytes.extend(bytes);
    }
}

impl Machine {
    fn executable(&self) -> Vec<u8> {
        const EXECUTABLE: u16 = 2;
        const LOAD: u32 = 1;
        const READ_AND_EXECUTE: u32 = 5;
        let (header, program_header): (u16, u16) = if self.wide { (64, 56) } else { (52, 32) };
        let before = u32::from(header) + u32::from(program_header);
        let size = before + u32::try_from(self.code.len()).unwrap_or_default();
        let mut file = Fields {
            bytes: b"\x7fELF".to_vec(),
            wide: self.wide,
            big_endian: self.big_endian,
        };
        // Class, byte order, version 1, no particular system; padding.
        file.bytes
            .extend([1 + u8::from(self.wide), 1 + u8::from(self.big_endian), 1, 0]);
        file.bytes.extend([0; 8]);
        file.half(EXECUTABLE);
        file.half(self.number);
        file.word(1);
        file.address(BASE + before); // entry point
        file.address(u32::from(header)); // where the program headers are
        file.address(0); // where the section headers are: there are none
        file.word(self.flags);
        for value in [header, program_header, 1, 0, 0, 0] {
            file.half(value);
        }
        file.word(LOAD);
        if self.wide {
            file.word(READ_AND_EXECUTE);
        }
        for value in [0, BASE, BASE, size, size] {
            file.address(value);
        }
        if !self.wide {
            file.word(READ_AND_EXECUTE);
        }
        file.address(PAGE);
        file.bytes.extend(&self.code);
        file.bytes
    }
}
